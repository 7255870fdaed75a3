"""What a customer can do, one module each. A flow shows views, waits for touches, leaves the money to the cash desk."""
