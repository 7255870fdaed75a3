"""What both ends of Guichet must say and compute alike: the kernel and the wire contracts.

Everything here but :mod:`guichet.system` is pure: no clock, no randomness, no input or output. Those arrive as
arguments, by the protocols of :mod:`guichet.seams`.
"""
