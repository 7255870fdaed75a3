"""Terminals, devices, disks, clocks, network and host in one process, from one seed, in virtual time."""
