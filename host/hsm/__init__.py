"""The security module: what works with PINs and card numbers, behind one interface."""
