"""Which physical box stood in the device in which box period: what lies in it is what a count is to find.

A period is one box's, and a box may have several: it was taken out, and the same one put back. Only an exchange that
nobody could see, with the terminal dead or the line dark, mixes two boxes in one period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from drivers.simulation.notes import PhysicalNote, Place, Vault
from guichet.ids import BoxPeriodId

PhysicalBox = tuple[int, str]
"""The device that it stands in, by number, and its own name."""


class WatchedVault(Vault):
    """Tells when a note has reached the box, and when another box has come."""

    on_stacked: Callable[[], None] = staticmethod(lambda: None)
    on_exchanged: Callable[[], None] = staticmethod(lambda: None)

    def move(self, note: PhysicalNote, place: Place) -> PhysicalNote:
        moved = super().move(note, place)
        if place is Place.BOX:
            self.on_stacked()
        return moved

    def exchange_box(self, name: str) -> None:
        super().exchange_box(name)
        self.on_exchanged()


@dataclass(slots=True)
class Boxes:
    """``wrongs``: periods that went on over an exchange that was there to be seen, in plain words."""

    period: BoxPeriodId | None = None
    wrongs: list[str] = field(default_factory=list[str])
    _boxes: dict[BoxPeriodId, set[PhysicalBox]] = field(default_factory=dict[BoxPeriodId, set[PhysicalBox]])
    _hidden: set[PhysicalBox] = field(default_factory=set[PhysicalBox])

    def opened(self, period: BoxPeriodId, box: PhysicalBox) -> None:
        """The journal has a new period, and ``box`` stands there."""
        self.period = period
        self._boxes[period] = {box}

    def exchanged(self, box: PhysicalBox, *, hidden: bool) -> None:
        """``box`` has come. ``hidden``: the terminal could not see it."""
        if hidden:
            self._hidden.add(box)

    def stacked(self, box: PhysicalBox) -> None:
        """A note has reached ``box``."""
        if self.period is None:
            return
        boxes = self._boxes[self.period]
        if box not in boxes and box not in self._hidden:
            self.wrongs.append(f"a note fell into {box} in the period of {boxes}")
        boxes.add(box)

    def groups(self, all_boxes: set[PhysicalBox]) -> Iterator[tuple[set[BoxPeriodId], set[PhysicalBox]]]:
        """Periods and boxes that can only be counted together; ``all_boxes``: of which each is in one of them."""
        left, boxes_left = dict(self._boxes), set(all_boxes)
        while boxes_left:
            boxes, periods = {min(boxes_left)}, set[BoxPeriodId]()
            while more := {period for period, its in left.items() if its & boxes}:
                periods |= more
                for period in more:
                    boxes |= left.pop(period)
            boxes_left -= boxes
            yield periods, boxes
