"""Looking into a terminal: devices, self-tests, the journal; on the command line."""
