"""Numbered migrations, run by :mod:`host.store.migrate`."""
