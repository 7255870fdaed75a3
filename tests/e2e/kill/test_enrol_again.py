"""A terminal that gets a new key goes on with its journal: what the old key signed is settled, once."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kiosk.journal.store import read_stopped
from kiosk.workbench.processes import tool
from tests.e2e.kill.support import Nursery, agree, an_account, host_and_cash, in_the_box


def test_what_was_unsettled_at_a_new_enrolment_is_settled_by_it(run_dir: Path) -> None:
    with host_and_cash(run_dir / "again") as stack:
        account, data = an_account(stack), stack.base / "kiosk"
        config, ticket = str(stack.base / "host.toml"), str(stack.base / "ticket.json")
        nursery = Nursery(stack, account)
        try:
            agree(stack, account, nursery.begin("before send advice"))
            assert nursery.go_on("go") == {"ended": -9}
            enrol = (tool("guichet-host"), "enrol", "--terminal", "K001", "--training", "--ticket", ticket)
            subprocess.run((*enrol, "--config", config), check=True, capture_output=True, timeout=30)
            again = (tool("guichet-kiosk"), "enrol", "--again", "--ticket", ticket, "--data", str(data))
            done = subprocess.run(again, check=True, capture_output=True, timeout=30, text=True)
            assert "enrolled as K001, epoch 2" in done.stdout
            agree(stack, account, nursery.begin(""))
            assert in_the_box(stack) == {"20.00 EUR": 1, "50.00 EUR": 1}
            assert nursery.go_on("stop") == {"ended": 0}
            assert {entry.epoch for entry in read_stopped(data / "journal.db")} == {1, 2}
        finally:
            nursery.close()
