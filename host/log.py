"""Structured logs: one JSON object a line, an event's name and its ids. No secret has a place in them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

Field = str | int | bool | None
_FIELDS = "guichet_fields"
_OWN = frozenset({"at", "level", "event", "error"})


class JsonFormatter(logging.Formatter):
    """Writes a record, ours or a library's, as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Field] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line.update(getattr(record, _FIELDS, {}))
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def event(logger: logging.Logger, name: str, *, level: int = logging.INFO, **fields: Field) -> None:
    """Log that ``name`` happened; ``fields`` are ids and numbers: terminal, session, deposit, note."""
    logger.log(level, name, extra={_FIELDS: {key: value for key, value in fields.items() if key not in _OWN}})


def failure(logger: logging.Logger, name: str, error: BaseException, **fields: Field) -> None:
    """Log an error with its trace."""
    logger.error(name, exc_info=error, extra={_FIELDS: fields})


def to_stderr(level: int = logging.INFO) -> None:
    """Send all logs to standard error, where systemd's journal takes them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("alembic", "asyncio", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
