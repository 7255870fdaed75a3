"""Sending what the host has not acknowledged yet, until it has: journal entries, and advices of deposits."""
