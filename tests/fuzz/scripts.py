"""Fault scripts, and the lines of a simulator's control socket."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress

from drivers.simulation.script import AtTime, Fault, Rule, ScriptError, parse, parse_fault
from tests.fuzz import devices
from tests.fuzz.decoder import Decoder, must


def _script(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with suppress(ScriptError):
        rules = parse(text)
        must(len(rules) <= len(text.splitlines()), "more faults than lines")
        for rule in rules:
            _check_rule(rule)
    with suppress(ValueError):
        what = parse_fault(text)
        must(what.fault not in (Fault.LOSE_ACK, Fault.LATE_ACK, Fault.REPEAT_ACK), "hands acknowledge nothing")


def _check_rule(rule: Rule) -> None:
    seconds = [rule.what.seconds, rule.when.seconds if isinstance(rule.when, AtTime) else 0.0]
    must(all(math.isfinite(each) and each >= 0 for each in seconds), "a time that never comes")
    must(len(rule.what.noise) <= 64 and len(rule.what.name) <= 32, "a measure without limit")


def _script_seeds() -> Iterator[bytes]:
    for when in ("note 3 in escrow", "note 1", "before byte 120", "after byte 7", "at 12.5"):
        for what in devices.HANDS:
            if what.startswith("fault "):
                yield f"{when}: {what.removeprefix('fault ')}".encode()
    yield b"ack 2: lose\nack 3: late 1.5\nack 4: repeat # so it is\n\n# note"
    yield b"note 2: jam in box\nnote 3: free\nnote 4: box full\nnote 5: slow 0.05\nnote 6: not taken"
    yield b"power off 2"


DECODERS = (Decoder("scripts-faults", _script, _script_seeds, 128),)
