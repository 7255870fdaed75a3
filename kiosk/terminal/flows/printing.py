"""Printing on behalf of a flow: what a printer's trouble means for the customer."""

from __future__ import annotations

from drivers.api.document import Document
from drivers.errors import DeviceError
from kiosk.terminal.parts import Parts


async def can_print(parts: Parts) -> bool:
    """Whether a document sent now would come out; asked of the printer itself."""
    if parts.printer is None:
        return False
    try:
        return (await parts.printer.state()).can_print
    except DeviceError as error:
        parts.log.event("printer.trouble", code=error.code)
        return False


async def print_document(parts: Parts, document: Document) -> bool:
    """Whether ``document`` came out whole."""
    if parts.printer is None:
        return False
    try:
        await parts.printer.print(document)
    except DeviceError as error:
        parts.log.event("printer.failed", document=document.title, code=error.code)
        return False
    parts.log.event("printer.printed", document=document.title)
    return True
