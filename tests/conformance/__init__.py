"""One suite for every cash driver: what each must do, whatever its protocol."""
