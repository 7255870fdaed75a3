"""The terminal process: sessions, devices and their supervision, the link to the host."""
