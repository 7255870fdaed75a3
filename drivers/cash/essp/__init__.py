"""ITL SSP and eSSP banknote validators."""
