"""Benchmarks of the cash drivers: against a bare pyserial loop, and against an exhaustive scan."""
