"""What the device simulators share: a port to stand at, and a way for a person or a test to act on the metal."""
