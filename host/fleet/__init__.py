"""The terminals: who belongs to the fleet, how each is, and what a person should look at."""
