"""JCM ID-003 banknote validators."""
