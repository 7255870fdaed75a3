"""Runs a decoder's process and reads what libFuzzer says of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.catalogue import NOBODY, Outside
from tests.fuzz.decoder import MESSAGES, Decoder

ROOT = Path(__file__).resolve().parents[2]
_MEMORY_MB = 1024
_LINES_KEPT = 60
_STATUS = re.compile(r"#(\d+)\s+(\w+)\s+(?:cov: (\d+) ft: (\d+) corp: (\d+)/)?")
_CHATTER = ("INFO: ", "WARNING: Failed to find function", "#")


class HarnessError(RuntimeError):
    """The process ended, and not because of an input."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``data``: the input. ``kind``: libFuzzer's word (crash, timeout, oom). ``text``: what was said at the end."""

    kind: str
    data: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a run amounts to. ``edges`` and ``features`` as libFuzzer counts them; ``corpus``: inputs kept.
    ``outside``: where the decoder is, if it is not ours.
    """

    name: str
    inputs: int
    seconds: float
    edges: int
    features: int
    corpus: int
    finding: Finding | None
    outside: Outside = NOBODY

    @property
    def rate(self) -> float:
        """Inputs a second."""
        return self.inputs / max(self.seconds, 0.001)


@dataclass(frozen=True, slots=True)
class Run:
    """How to run. ``runs``: inputs beside those that were there before; a fiftieth of it where an input is a whole
    story, which brings as many messages. ``folder``: where each decoder's corpus and findings are kept. ``timeout``:
    seconds that one input may take. ``outside``: where the decoder is, if it is not ours.
    """

    runs: int
    seed: int
    folder: Path
    timeout: int = 10
    outside: Outside = NOBODY


@dataclass(slots=True)
class _Seen:
    """The last that was read."""

    inputs: int = 0
    edges: int = 0
    features: int = 0
    corpus: int = 0
    last: deque[str] = field(default_factory=lambda: deque[str](maxlen=_LINES_KEPT))

    def read(self, line: str) -> bool:
        """Gives whether it says how far it is."""
        if not line.startswith(_CHATTER):
            self.last.append(line.rstrip())
        found = _STATUS.match(line)
        if found is None:
            return False
        self.inputs = int(found[1])
        if found[3]:
            self.edges, self.features, self.corpus = int(found[3]), int(found[4]), int(found[5])
        return found[2] == "pulse"


def fuzz(decoder: Decoder, run: Run, tell: Callable[[str], None]) -> Result:
    """Run to the end or to the first finding. Raises :class:`HarnessError`. ``tell`` takes lines of progress."""
    corpus, findings = run.folder / decoder.name / "corpus", run.folder / decoder.name / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    before = {path.name for path in findings.iterdir()}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as seeds:
        given = _write(Path(seeds), decoder.seeds()) + len(list(corpus.iterdir()))
        runs = given + max(1, run.runs // (MESSAGES if decoder.story else 1))
        flags = (f"-runs={runs}", f"-seed={run.seed}", f"-timeout={run.timeout}", f"-artifact_prefix={findings}/")
        status, seen = _attend(_command(decoder, run.outside, *flags, str(corpus), seeds), decoder.name, tell)
    seconds = time.monotonic() - began
    new = [path for path in sorted(findings.iterdir()) if path.name not in before]
    text = "\n".join(seen.last)
    if status and not new:
        raise HarnessError(f"{decoder.name}: exit status {status}\n{text}")
    finding = Finding(new[0].name.partition("-")[0], new[0].read_bytes(), text) if new else None
    return Result(decoder.name, seen.inputs, seconds, seen.edges, seen.features, seen.corpus, finding, run.outside)


def _write(folder: Path, seeds: Iterable[bytes]) -> int:
    """Gives how many they are."""
    count = 0
    for seed in seeds:
        (folder / f"{count:04d}").write_bytes(seed)
        count += 1
    return count


def _command(decoder: Decoder, outside: Outside, *arguments: str) -> list[str]:
    limits = (f"-max_len={decoder.longest}", f"-rss_limit_mb={_MEMORY_MB}", "-reload=0")
    return [sys.executable, "-m", "tests.fuzz.child", decoder.name, *outside.words, "--", *limits, *arguments]


def _attend(command: list[str], name: str, tell: Callable[[str], None]) -> tuple[int, _Seen]:
    seen = _Seen()
    path = os.pathsep.join(sys.path)
    # The order of sets must not depend on the day, or a seed would not repeat a run.
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1", "PYTHONPATH": path}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if seen.read(line):
                    tell(f"{name}: {seen.inputs} inputs, {seen.edges} edges, {seen.features} features")
        except BaseException:
            process.kill()
            raise
    return process.returncode, seen
