"""Printers that speak ESC/POS."""
