"""The driver of a stranger: a protocol that nobody speaks, in the five rooms, registered from outside of ``drivers``.

The suite runs on it as on one of ours (``test_outside.py``). The protocol is as kind to money as one can be: questions
and answers carry a number, every state names its note, an event is held by its own number until that is let go, also
without power, and who the device is and what it has counted may be asked at any time. So nothing need ever be in doubt
that a device can know, and whoever writes a driver sees here how little one needs.
"""
