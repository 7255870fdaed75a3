"""Claims: what is not on a customer's account and may belong there, under a number that the customer can read out."""
