"""Making a failure small: what can be left out of a plan while the same rule is still broken, is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.plan import Plan

Fails = Callable[[Plan], bool]


@dataclass(frozen=True, slots=True)
class Small:
    """The visits and mishaps of a plan, by their places in it, that are left; and how many worlds it took."""

    visits: frozenset[int]
    mishaps: frozenset[int]
    tried: int

    def words(self) -> str:
        """As the command line takes it."""
        return f"--visits {_listed(self.visits)} --mishaps {_listed(self.mishaps)}"


def _listed(places: frozenset[int]) -> str:
    return ",".join(str(place) for place in sorted(places)) or "none"


def shrunken(plan: Plan, fails: Fails, most: int = 200) -> Small:
    """What is left of ``plan``: no single visit or mishap of it can be left out, or ``most`` worlds were tried."""
    visits, mishaps = frozenset(range(len(plan.visits))), frozenset(range(len(plan.mishaps)))
    tried, smaller = 0, True
    while smaller and tried < most:
        smaller = False
        for without in _one_less(visits, mishaps):
            tried += 1
            if fails(plan.only(*without)):
                visits, mishaps = without
                smaller = True
                break
            if tried >= most:
                break
    return Small(visits, mishaps, tried)


def _one_less(visits: frozenset[int], mishaps: frozenset[int]) -> list[tuple[frozenset[int], frozenset[int]]]:
    """First halves, then one at a time, the last first: what comes late is seldom the cause."""
    late = sorted(visits)[len(visits) // 2 :]
    halves = [(visits - set(late), mishaps)] if len(visits) > 3 else []
    fewer_visits = [(visits - {visit}, mishaps) for visit in sorted(visits, reverse=True)]
    fewer_mishaps = [(visits, mishaps - {mishap}) for mishap in sorted(mishaps, reverse=True)]
    return [*halves, *fewer_visits, *fewer_mishaps]
