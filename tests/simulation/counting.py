"""After a world has come to rest: every cash box is exchanged and counted, and what was counted is entered at the host,
as operators do it. What lies in a box the simulated device's paper says; the books do not come into it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from drivers.simulation.notes import Place
from guichet.ids import TerminalId
from guichet.money import Money, parse_money
from host.bankdays import Calendar
from host.claims.counting import Counted, enter_count
from host.ledger.kinds import Booking
from host.ledger.resolving import Resolver
from tests.simulation.bank import Bank
from tests.simulation.kiosk import Kiosk, PhysicalBox


def to_count(boxes: dict[str, PhysicalBox]) -> dict[str, PhysicalBox]:
    """Of the boxes that stood in a kiosk, by period and in order: those whose period is over, and that stood there in
    no other. Where one was put back, nobody can say what went in when.
    """
    ended = list(boxes.items())[:-1]
    times = Counter(boxes.values())
    return {period: box for period, box in ended if times[box] == 1}


def pieces_in(kiosk: Kiosk, box: PhysicalBox) -> dict[Money, int]:
    """What lies in it and is money."""
    notes = kiosk.vaults[box.device].notes
    faces = [note.face for note in notes if (note.place, note.box) == (Place.BOX, box.name) and note.face[0].isdigit()]
    return dict(Counter(parse_money(face) for face in faces))


@dataclass(frozen=True, slots=True)
class Entered:
    """How many boxes were counted, and how many doubts that has credited."""

    boxes: int
    credited: int


def count_boxes(kiosk: Kiosk, boxes: dict[str, PhysicalBox], bank: Bank) -> Entered:
    """Enter the count of every box of one kiosk."""
    host, credited, counts = bank.host, 0, to_count(boxes)
    resolver = Resolver(host.keys.signer, bank.ids, Calendar(bank.clock, host.config.zone))
    for period, box in counts.items():
        counted = Counted(TerminalId(kiosk.name), period, pieces_in(kiosk, box), "who counts", "who looks on")
        with bank.engine.begin() as connection:
            _, resolved = enter_count(connection, counted, host.keys.signer, resolver, host.now_us())
        credited += sum(one.settled.booking is Booking.CUSTOMER for one in resolved)
    return Entered(len(counts), credited)
