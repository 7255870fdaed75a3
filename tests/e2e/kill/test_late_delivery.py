"""What a terminal signed while it was trusted is delivered and booked after it is not any more."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

from kiosk.workbench.processes import tool
from tests.e2e.kill.support import Nursery, agree, an_account, booked, host_and_cash, in_the_box


def test_a_revoked_terminal_opens_no_session_but_its_signed_deposit_is_booked(run_dir: Path) -> None:
    with host_and_cash(run_dir / "late") as stack:
        account = an_account(stack)
        nursery = Nursery(stack, account)
        try:
            agree(stack, account, nursery.begin("before send advice"))
            assert nursery.go_on("go") == {"ended": -9}
            assert in_the_box(stack) == {"20.00 EUR": 1, "50.00 EUR": 1}
            assert booked(stack) == Counter()
            revoke = (tool("guichet-host"), "operator", "revoke", "K001", "--config", str(stack.base / "host.toml"))
            subprocess.run(revoke, check=True, capture_output=True, timeout=30)
            agree(stack, account, nursery.begin("", session=False))
            assert booked(stack) == {"20.00 EUR": 1, "50.00 EUR": 1}
            assert nursery.go_on("stop") == {"ended": 0}
        finally:
            nursery.close()
