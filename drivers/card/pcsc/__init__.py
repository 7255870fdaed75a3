"""Chip cards in PC/SC readers."""
