"""What a simulated device remembers across its own power cuts."""


class BadMemory(ValueError):
    """A file is not the memory of this kind of device; the text names the file and says what is wrong with it."""
