"""Everything that touches hardware, and each device's simulator."""
