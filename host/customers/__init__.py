"""Customers, their cards and sessions: who stands in front of a terminal, and what that person may see."""
