"""Fenced blocks are what they say: known languages, configurations that load, diagrams that hold together."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from drivers.context import DriverContext
from drivers.registry import open_device
from drivers.transport.api import ByteTransport
from host.config import load_config as load_host_config
from kiosk.terminal.config import load_config
from tests.docs.pages import ROOT, Block, pages

LANGUAGES = {"sh", "console", "toml", "mermaid", "text", "python"}
BLOCKS = [block for page in pages() for block in page.blocks]
MERMAID = [block for block in BLOCKS if block.language == "mermaid"]
TOML = [block for block in BLOCKS if block.language == "toml"]
SHOWN_STEPS = [
    line for block in BLOCKS if block.language == "console" for line in block.lines if re.match(r"\d+\. ", line)
]

_NODE = re.compile(r"(?P<id>\w+)(?:\[\(.*?\)\]|\[[^\]]*\]|\([^)]*\)|\{[^}]*\})")
_EDGE = re.compile(r"^(?P<from>.+?) (?:-->|---|-\.->|==>|<-->|<==>|<-\.->)(?:\|[^|]+\|)? (?P<to>.+)$")


def place(block: Block) -> str:
    """A test's name for a block."""
    return block.place


async def no_line(address: str, baud: int = 9600) -> ByteTransport:
    """Nothing is opened when a configuration is only read."""
    raise AssertionError(f"{address} at {baud} was opened")


def mermaid_faults(lines: tuple[str, ...]) -> list[str]:
    """What is wrong with a flow chart: unbalanced brackets and quotes, groups without end, arrows from or to a node
    that has no box anywhere.
    """
    faults: list[str] = []
    body = [line.strip() for line in lines if line.strip() and not line.strip().startswith("%%")]
    if not body or not re.fullmatch(r"flowchart (LR|TB|TD|RL|BT)", body[0]):
        return ["not a flowchart with a direction"]
    groups = re.findall(r"^\s*subgraph (\w+)", "\n".join(lines), re.MULTILINE)
    known = {match["id"] for line in body for match in _NODE.finditer(line)} | set(groups)
    if len(groups) != body.count("end"):
        faults.append("a subgraph has no end")
    for line in body[1:]:
        if line.count('"') % 2 or any(line.count(a) != line.count(b) for a, b in ("[]", "()", "{}")):
            faults.append(f"unbalanced: {line}")
        edge = _EDGE.match(line)
        if edge is not None:
            ends = [part for side in (edge["from"], edge["to"]) for part in re.sub(r"[\[({].*", "", side).split(" & ")]
            faults += [f"no such node: {end.strip()}" for end in ends if end.strip() not in known]
    return faults


@pytest.mark.parametrize("block", BLOCKS, ids=place)
def test_every_block_says_its_language(block: Block) -> None:
    assert block.language in LANGUAGES


@pytest.mark.parametrize("block", MERMAID, ids=place)
def test_every_diagram_holds_together(block: Block) -> None:
    assert mermaid_faults(block.lines) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("graph", "not a flowchart with a direction"),
        ("flowchart LR\na[A] --> b", "no such node: b"),
        ("flowchart LR\na[A --> b[B]", "unbalanced: a[A --> b[B]"),
        ("flowchart LR\nsubgraph x\na[A]", "a subgraph has no end"),
    ],
)
def test_a_diagram_that_does_not_hold_together_is_seen(text: str, fault: str) -> None:
    assert fault in mermaid_faults(tuple(text.splitlines()))


@pytest.mark.parametrize("block", TOML, ids=place)
def test_every_configuration_loads_and_its_drivers_take_their_options(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("\n".join(block.lines) + "\n", encoding="utf-8")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    if "devices" not in table:
        assert load_host_config(path, {}).data == Path(table["data"])
        return
    config = load_config(path)
    context = DriverContext(lambda: 0.0, lambda count: bytes(count), no_line)
    opened = [open_device(device, context) for device in config.devices.values()]
    assert len(opened) == len(table["devices"])


def test_every_step_of_the_demo_that_is_shown_is_one_of_its_steps() -> None:
    source = ast.parse((ROOT / "tests" / "e2e" / "demo" / "day.py").read_text(encoding="utf-8"))
    titles = [
        node.args[0].value
        for node in ast.walk(source)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "step"
        and isinstance(node.args[0], ast.Constant)
    ]
    assert [f"{number}. {title}" for number, title in enumerate(titles, start=1)] == SHOWN_STEPS
