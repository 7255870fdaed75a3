"""CCNET (CashCode NET) banknote validators."""
