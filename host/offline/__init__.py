"""Deposits that begin while a terminal cannot ask: limits that were signed for it, and whose account a card means."""
