"""What can take the knowledge of a note away. A doubt without any of it is one too many: what cannot be known is in
doubt, and only that (rule 3).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.simulation.mechanism import Box, Step
from tests.simulation.kiosk import Kiosk
from tests.simulation.plan import Kind, Mishap

# Whatever befalls the network, the host or a clock, the device can still be asked. That a disk goes back is only seen
# by a process that begins anew.
_HIDES_NOTHING = frozenset(
    {Kind.PARTITION, Kind.RESET, Kind.WEATHER, Kind.HOST, Kind.CLOCK, Kind.HOST_CLOCK, Kind.WENT_BACK}
)
# The journal was restored: what is undecided there the old disk may have decided.
_OF_ITSELF = frozenset({"journal-restored"})
# A device that went silent just before is only then seen to be.
_LINGERS = 1.0


@dataclass(slots=True)
class Causes:
    """Of one kiosk, by the world's time: when something befell it, and how long that went on."""

    _spans: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def struck(self, mishap: Mishap, now: float) -> None:
        """Something goes wrong there."""
        if mishap.kind not in _HIDES_NOTHING:
            self._spans.append((now, now + mishap.seconds + _LINGERS))

    def began_anew(self, now: float) -> None:
        """A life of its process begins: it knows what is on record."""
        self._spans.append((now, now))

    def explain(self, kiosk: Kiosk, reason: str, since: float, armed: bool) -> bool:
        """Whether a doubt that is recorded now, about a note that came to escrow at ``since``, had to be. ``armed``:
        something in the device was waiting for its moment then.
        """
        return reason in _OF_ITSELF or armed or is_odd(kiosk) or any(until >= since for _, until in self._spans)


def is_odd(kiosk: Kiosk) -> bool:
    """Whether the device is not as it should be now, or is about not to be."""
    device, line = kiosk.device, kiosk.device.line
    metal = device.metal
    return (
        not (kiosk.plugged and device.powered and device.script_is_over)
        or device.failed
        or metal.step in (Step.JAMMED, Step.CHEATED)
        or metal.box is not Box.IN
        or metal.mishaps.jam is not None
        or metal.mishaps.mouth_shut_until > kiosk.loop.time()
        or bool(line.garbage or line.lost or line.mute or line.slow or line.late or line.noise)
        or bool(line.lose_acks or line.repeat_acks or line.late_ack)
    )
