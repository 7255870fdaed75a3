"""What the terminal knows of devices: classes of them as protocols; events, states and counters as plain values.

One task owns one device: :meth:`Device.run`. It ends with a :class:`drivers.errors.DeviceError` when the device is
lost; the supervisor starts it again. What happens meanwhile arrives as events, called synchronously on the terminal's
loop, because an event with money in it must be on disk before the device is answered.
"""
