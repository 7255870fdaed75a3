"""People at the kiosk, one after the other, for as long as the run lasts: they look at the view of the moment and do
what it asks for, by the screen's own contract and the outsides of the devices. Whatever dies, they try again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import grpc

from guichet.v1 import screen_pb2 as pb
from guichet.v1.screen_pb2_grpc import ScreenStub
from kiosk.workbench.stack import Stack

PINS = {"anna": "1234", "boris": "4321"}
FACES = ("5 EUR", "10 EUR", "20 EUR", "50 EUR", "100 EUR", "20 USD", "unreadable")
_WEIGHTS = (5, 5, 5, 5, 2, 1, 1)
_LOOK_SECONDS = 0.1
_AGAIN_SECONDS = 0.3
_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
_OPEN = (pb.DEPOSIT_STAGE_INSERT_FIRST, pb.DEPOSIT_STAGE_INSERT_MORE)


@dataclass(frozen=True, slots=True)
class Push:
    """A note that somebody pushed in: its number in the simulator's memory, and for which account, if a deposit was
    open.
    """

    number: int
    account: str


class Glass:
    """The newest view of whichever life of the terminal, and touches back to it."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._over = threading.Event()
        self._changed = threading.Condition()
        self._view: pb.View | None = None
        self._touches: SimpleQueue[pb.AttachRequest | None] = SimpleQueue()
        self._call: grpc.Call | None = None
        self._thread = threading.Thread(target=self._keep_attached, name="glass", daemon=True)
        self._thread.start()

    def newest(self, seconds: float) -> pb.View | None:
        """The view of the moment, waiting so long for a change; None while no terminal shows anything."""
        with self._changed:
            self._changed.wait(seconds)
            return self._view

    def touch(self, view: pb.View, control: str) -> None:
        """A finger on a control."""
        touched = pb.Touched(view_id=view.view_id, control=control)
        self._touches.put(pb.AttachRequest(touched=touched))

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        self._touches.put(None)
        if self._call is not None:
            self._call.cancel()
        self._thread.join(30)

    def _keep_attached(self) -> None:
        while not self._over.wait(0.02):
            if self._socket.exists():
                self._attach()
                self._see(None)

    def _attach(self) -> None:
        touches: SimpleQueue[pb.AttachRequest | None] = SimpleQueue()
        self._touches = touches
        with grpc.insecure_channel(f"unix:{self._socket}", options=_OPTIONS) as channel:
            responses = ScreenStub(channel).Attach(_from(touches))
            self._call = responses
            try:
                for response in responses:
                    self._see(response.view)
            except grpc.RpcError:
                pass  # This life is over, or has not begun to listen; the next one is looked for.
            finally:
                touches.put(None)

    def _see(self, view: pb.View | None) -> None:
        with self._changed:
            self._view = view
            self._changed.notify_all()


def _from(touches: SimpleQueue[pb.AttachRequest | None]) -> Iterator[pb.AttachRequest]:
    while (touch := touches.get()) is not None:
        yield touch


class People:
    """Customers from a seed. ``accounts``: the account that takes deposits of each who has only one."""

    def __init__(self, stack: Stack, dice: random.Random, accounts: dict[str, str]) -> None:
        self._stack = stack
        self._dice = dice
        self._accounts = accounts
        self._glass = Glass(stack.base / "run" / "terminal.sock")
        self._leaving = threading.Event()
        self.last_push = time.monotonic()
        self.pushes: list[Push] = []
        self.sessions = 0
        self.ended = 0
        self._broken: Exception | None = None
        self._new_session("anna")
        self._thread = threading.Thread(target=self._live, name="people", daemon=True)
        self._thread.start()

    def _new_session(self, who: str) -> None:
        self._who = who
        self._account = ""
        self._notes = self._dice.choices(FACES, _WEIGHTS, k=self._dice.randint(1, 4))
        self._walks_away = self._dice.random() < 0.1
        self._card_in = False
        self._acted_on: pb.View | None = None
        self._acted_at = 0.0

    # --- for the run ------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises RuntimeError where the people themselves have broken down."""
        if self._broken is not None:
            raise RuntimeError("the people broke down") from self._broken

    def leave(self) -> None:
        """The last one takes the card and goes. Raises RuntimeError."""
        self.end()
        self.check()

    def end(self) -> None:
        """Nobody comes any more."""
        self._leaving.set()
        self._thread.join(60)
        self._glass.close()

    # --- what they do -----------------------------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            while not self._leaving.is_set():
                view = self._glass.newest(_LOOK_SECONDS)
                if view is not None:
                    self._react(view)
            self._tell("card", "remove")
        except Exception as error:  # Raised where the run looks on.
            self._broken = error

    def _react(self, view: pb.View) -> None:
        """Once a view; again where that came to nothing for a while, as with somebody who touches a dead screen."""
        again = view is self._acted_on and time.monotonic() < self._acted_at + _AGAIN_SECONDS
        if view.WhichOneof("content") == "deposit" and view.deposit.stage in _OPEN:
            self._feed(view, first=not again)
        elif not again:
            self._acted_on, self._acted_at = view, time.monotonic()
            self._act(view)

    def _act(self, view: pb.View) -> None:
        match view.WhichOneof("content"):
            case "attract" if not self._card_in:
                self._come()
            case "pin" if view.pin.digits == 0:
                self._type_pin()
            case "menu":
                wants = bool(self._notes) and pb.SERVICE_DEPOSIT in view.menu.available
                self._glass.touch(view, "deposit" if wants else "finish")
            case "accounts":
                self._account = self._dice.choice(view.accounts.accounts).account_id
                self._glass.touch(view, self._account)
            case "notice":
                self._glass.touch(view, view.notice.controls[0])
            case "deposit_result":
                self._glass.touch(view, "done")
            case "goodbye":
                self._go()
            case _:
                pass

    def _come(self) -> None:
        self.sessions += 1
        self._new_session(self._dice.choice(sorted(PINS)))
        self._account = self._accounts.get(self._who, "")
        self._tell("card", f"insert {self._who}")
        self._card_in = True

    def _go(self) -> None:
        self._tell("card", "remove")
        self._card_in = False

    def _type_pin(self) -> None:
        self._tell("pinpad", f"press {PINS[self._who]}")
        self._tell("pinpad", "enter")

    def _feed(self, view: pb.View, *, first: bool) -> None:
        if not self._notes:
            if first and self._walks_away:
                self._go()
            elif first:
                self._acted_on, self._acted_at = view, time.monotonic()
                self._glass.touch(view, "finish")
                self.ended += 1
            return
        said = self._tell("cash", f"insert {self._notes[0]}")
        if said.startswith("note "):
            self._notes.pop(0)
            self.last_push = time.monotonic()
            self.pushes.append(Push(int(said.split()[1]), self._account))

    def _tell(self, device: str, line: str) -> str:
        """What the device answers; nothing where it is dead or objects: a person tries again."""
        try:
            return self._stack.tell(device, line)
        except (OSError, ValueError):
            return ""
