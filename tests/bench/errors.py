"""What goes wrong with a benchmark itself."""


class BenchError(RuntimeError):
    """Nothing could be measured, or the two sides did not do the same: whatever was measured does not count."""
