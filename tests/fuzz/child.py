"""One decoder under the engine, in a process of its own: ``python -m tests.fuzz.child NAME FLAGS-OF-LIBFUZZER``.

The engine ends the process when it is done, or at the first finding.
"""

from __future__ import annotations

import sys

from tests.fuzz import engine
from tests.fuzz.catalogue import decoder
from tests.fuzz.limits import limit_memory


def main() -> int:
    """The command."""
    name, flags = sys.argv[1], sys.argv[2:]
    atheris = engine.load()
    if atheris is None:
        print("atheris is not installed", file=sys.stderr)
        return 2
    with engine.watching(atheris):
        feed = decoder(name).feed
    limit_memory()
    atheris.Setup([name, *flags], engine.gathered(atheris, feed))
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
