"""Bytes to and from a device, whatever the wire: serial, pty, TCP, memory.

``drivers.transport.api`` says what a wire is, ``open`` opens one by its address, ``memory`` joins two ends in one
process with a place to disturb what passes.
"""
