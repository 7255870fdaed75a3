"""``make demo``: a cardholder's day without a person, proved against the notes that physically are in the box."""
