"""``python -m tests.conformance.recordings``"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.choice import NoSuchSubjectError, add_arguments, chosen
from tests.conformance.recordings import HERE, __doc__, make


def main(argv: Sequence[str] | None = None) -> int:
    """The command. 0: made; 2: no such subject, or nowhere to put its recording."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.recordings", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where they are put; ours have their place")
    arguments = parser.parse_args(argv)
    if arguments.subject and arguments.into is None:
        parser.error("--subject needs --into: the recordings in the checkout are of its own drivers")
    try:
        subjects = chosen(arguments.subject)
    except NoSuchSubjectError as error:
        print(error, file=sys.stderr)
        return 2
    folder: Path = arguments.into or HERE
    folder.mkdir(parents=True, exist_ok=True)
    for path in make(subjects, folder):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
