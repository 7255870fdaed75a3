"""What a self-test says of a printer's state. Pure."""

from __future__ import annotations

from drivers.api.device import DeviceIdentity, SelfTestStep
from drivers.api.printer import Paper, PrinterState


def steps(
    address: str, state: PrinterState, identity: DeviceIdentity | None, *, process_ids: bool
) -> tuple[SelfTestStep, ...]:
    """One step for each thing that an engineer would look at, in the order in which he would."""
    paper_there = state.paper in (Paper.ADEQUATE, Paper.NEAR_END)
    confirms = "by process id" if process_ids else "in turn, by GS r"
    return (
        SelfTestStep("answers", passed=True, detail=f"real-time status at {address}"),
        SelfTestStep("cover", not state.cover_open, "open" if state.cover_open else "closed"),
        SelfTestStep("paper", paper_there, state.paper.value),
        SelfTestStep("mechanism", not state.fault, state.fault or "no error"),
        SelfTestStep("online", state.online, "online" if state.online else "offline"),
        SelfTestStep("identity", identity is not None, _who(identity)),
        SelfTestStep("confirms documents", passed=True, detail=confirms),
    )


def _who(identity: DeviceIdentity | None) -> str:
    if identity is None:
        return "not known yet: only a printer that is online tells"
    parts = (identity.model, identity.firmware and f"firmware {identity.firmware}", identity.serial)
    return ", ".join(part for part in parts if part)
