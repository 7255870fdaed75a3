"""The operations console: pages for whoever runs the fleet. Read only, behind a log-in, on loopback by default."""
