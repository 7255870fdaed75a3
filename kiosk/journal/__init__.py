"""The write-ahead journal of a terminal, and what is folded from it."""
