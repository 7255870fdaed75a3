"""Whoever comes to a kiosk: a customer who pushes notes in whatever happens, and an engineer who mends what he sees."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.simulation.mechanism import Box, Step
from guichet.money import parse_money
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import NotePhase
from kiosk.terminal.cash_desk import BOX_EXCHANGED
from kiosk.terminal.desk_view import Stage
from tests.conformance.rig import Rig

_LOOK = 0.05
_MEND_SECONDS = 15.0
_GIVES_UP_SECONDS = 90.0
_GRACE_SECONDS = 30.0
_RETURN_AGAIN_SECONDS = 5.0


class Engineer:
    """Comes some seconds after something needs hands. What sticks is taken out once the device was switched off and on
    and it sticks still.
    """

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._since: float | None = None
        self._switched = False
        self._boxes = 1
        self._empty_box: str | None = None

    def look(self) -> None:
        """Mend what has needed it for a while."""
        device, now = self._rig.device, self._rig.now
        device.advance(now)
        metal = device.metal
        waiting = metal.step is Step.RETURNING and metal.due is None
        if not (metal.step is Step.JAMMED or metal.box is not Box.IN or device.failed or waiting or not device.powered):
            self._since = None
            return
        self._since = now if self._since is None else self._since
        if now - self._since < _MEND_SECONDS:
            return
        self._since = None
        if not device.powered:
            device.restore_power(now)
        elif waiting:
            metal.take(now)
        elif metal.step is Step.JAMMED and self._switched:
            self._switched = False
            device.free_jam(now)
        elif metal.box is Box.FULL:
            self._boxes += 1
            self._empty_box = f"BOX-{self._boxes}"
            device.change_box(Box.OUT, now)
        elif metal.box is Box.OUT:
            device.change_box(Box.IN, now, self._empty_box)
            self._empty_box = None
        else:
            self._switched = metal.step is Step.JAMMED
            device.cut_power(now)
            device.restore_power(now)


class Customer:
    """Makes a deposit of some notes, as far as the machine lets it, and goes; another one, where the box is exchanged
    under the first.
    """

    def __init__(self, rig: Rig, faces: Sequence[str]) -> None:
        self._rig = rig
        self._faces = list(faces)
        self._progress = rig.now
        self._note_at = self._asked_at = rig.now
        self._engineer = Engineer(rig)
        self._exchanged = False

    async def deposit(self) -> None:
        """Until the deposit is closed, or the terminal is dead."""
        again = True
        while again:
            await self._until_ready()
            if self._rig.dead:
                return
            self._rig.open_deposit()
            await self.goes_on()
            again, self._exchanged = self._exchanged and bool(self._faces), False

    async def goes_on(self) -> None:
        """With the deposit that is open, to its end."""
        rig = self._rig
        while rig.fold.open_deposit is not None and not rig.dead:
            self._engineer.look()
            self._act()
            if not self._faces and not rig.desk.undecided and self._slot_is_quiet():
                rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
            elif rig.desk.view.fault == BOX_EXCHANGED:
                self._exchanged = True
                rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
            elif rig.now - self._progress > _GIVES_UP_SECONDS:
                self._give_up()
            await rig.sleep(_LOOK)

    async def _until_ready(self) -> None:
        rig, end, asked = self._rig, self._rig.now + 300, False
        while not rig.dead and not (asked and rig.desk.view.ready and rig.desk.shut and rig.fold.open_deposit is None):
            assert rig.now < end, f"{rig.subject.name}: never ready; {rig.desk.view}, {rig.told[-5:]}"
            self._engineer.look()
            if rig.desk.view.ready and not asked:
                rig.desk.ask_whether_shut()
                asked = True
            await rig.sleep(_LOOK)
            if not rig.desk.view.ready and rig.now > end - 200:
                rig.desk.no_answer()
        self._progress = rig.now

    def _act(self) -> None:
        rig = self._rig
        note = rig.fold.open_note
        if rig.desk.keeps_note and rig.now - self._asked_at >= _RETURN_AGAIN_SECONDS:
            self._asked_at = rig.now
            rig.desk.return_again()
        if note is not None and note.phase is NotePhase.ESCROWED:
            rig.desk.take()
            self._progress = rig.now
        elif note is None and self._faces and rig.desk.view.ready:
            if rig.desk.view.stage is Stage.CLOSED:
                rig.desk.accept()
            if self._push(self._faces[0]):
                self._faces.pop(0)
                self._progress = rig.now

    def _push(self, face: str) -> bool:
        rig, device = self._rig, self._rig.device
        device.advance(rig.now)
        if not device.powered or not device.accepts or device.metal.step is not Step.RESTING:
            return False
        if device.metal.note is not None or rig.now - self._note_at < 1.0:
            return False
        self._note_at = rig.now
        money = parse_money(face) if face[0].isdigit() else None
        if money is None:
            device.insert("unknown", device.unnamed_type, rig.now)
            return True
        kind = device.type_of(money)
        device.insert(str(money), kind or 0, rig.now, readable=kind is not None)
        return True

    def _slot_is_quiet(self) -> bool:
        """Nothing moves, and what was pushed in has had its time to be told."""
        metal = self._rig.device.metal
        return metal.step is Step.RESTING and metal.note is None and self._rig.now - self._note_at > 5.0

    def _give_up(self) -> None:
        """As the flow does: what takes too long is ended, and what nobody can know is in doubt."""
        rig = self._rig
        self._faces.clear()
        if rig.desk.view.stage is Stage.RETURNING:
            rig.desk.not_taken()
        elif rig.desk.view.ready and rig.desk.undecided:
            rig.desk.stuck()
        elif rig.now - self._progress > _GIVES_UP_SECONDS + _GRACE_SECONDS:
            rig.desk.no_answer()
        if not rig.desk.undecided:
            rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
