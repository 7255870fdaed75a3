"""The words of a language: gettext catalogues over English sources.

English needs no catalogue: the texts in the source are English. Whatever a catalogue lacks, or has with broken fields,
appears in English: a customer is never left without a text.
"""

from __future__ import annotations

import gettext
from pathlib import Path
from string import Formatter

DOMAIN = "guichet"
LOCALE = Path(__file__).resolve().parent.parent / "locale"


def N_(text: str) -> str:
    """Mark ``text`` for translation, unchanged."""
    return text


class Words:
    """Speaks one language. ``language`` is a BCP 47 tag; an unknown one speaks English."""

    def __init__(self, language: str, catalogues: Path = LOCALE) -> None:
        self.language = language
        self._translations = gettext.translation(DOMAIN, catalogues, _candidates(language), fallback=True)

    def __call__(self, text: str, **fields: str) -> str:
        """``text`` in this language with ``{name}`` fields filled in."""
        return _fill(self._translations.gettext(text), text, fields)

    def count(self, one: str, many: str, number: int, **fields: str) -> str:
        """The form that goes with ``number``, which is also the field ``{number}``."""
        english = one if number == 1 else many
        return _fill(self._translations.ngettext(one, many, number), english, {"number": str(number), **fields})


def _candidates(language: str) -> list[str]:
    """Names of catalogues from the special to the general: zh-Hant-TW -> zh_Hant_TW, zh_Hant, zh."""
    parts = [part for part in language.split("-") if part.isalnum()]
    return ["_".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _fill(translated: str, english: str, fields: dict[str, str]) -> str:
    """A translation whose fields are not those of the English text is worth nothing: English then."""
    wanted = {name for _, name, _, _ in Formatter().parse(english) if name is not None}
    try:
        found = {name for _, name, _, _ in Formatter().parse(translated) if name is not None}
    except ValueError:
        found = None
    return (translated if found == wanted else english).format(**fields)
