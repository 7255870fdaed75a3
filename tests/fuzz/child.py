"""One decoder under the engine, in a process of its own:
``python -m tests.fuzz.child NAME [--from MODULE] [--watch PACKAGE] -- FLAGS-OF-LIBFUZZER``.

The engine ends the process when it is done, or at the first finding.
"""

from __future__ import annotations

import argparse
import sys

from tests.fuzz import engine
from tests.fuzz.catalogue import add_outside, decoder, outside_of
from tests.fuzz.limits import limit_memory


def main() -> int:
    """The command."""
    cut = sys.argv.index("--")
    words, flags = sys.argv[1:cut], sys.argv[cut + 1 :]
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    add_outside(parser)
    arguments = parser.parse_args(words)
    outside, name = outside_of(arguments), str(arguments.name)
    atheris = engine.load()
    if atheris is None:
        print("atheris is not installed", file=sys.stderr)
        return 2
    with engine.watching(atheris, outside.packages):
        feed = decoder(name, outside).feed
    limit_memory()
    atheris.Setup([name, *flags], engine.gathered(atheris, feed))
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
