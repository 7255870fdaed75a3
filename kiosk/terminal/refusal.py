"""Why a session ends before it began, as its customer is told."""

from __future__ import annotations

from guichet.v1 import journal_pb2 as journal
from guichet.v1 import screen_pb2 as pb


class Refused(Exception):
    """The session ends with a notice."""

    def __init__(self, notice: pb.Notice.ValueType, code: str, end: journal.SessionEnd.ValueType) -> None:
        super().__init__(code)
        self.notice = notice
        self.code = code
        self.end = end
