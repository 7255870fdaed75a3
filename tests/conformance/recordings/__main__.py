"""``python -m tests.conformance.recordings``"""

from __future__ import annotations

from tests.conformance.recordings import make

make()
