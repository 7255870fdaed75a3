"""Writes guichet.pot, the template for translators, from the texts in the screen's source.

    python -m kiosk.locale.extract

A text stands in the source as ``N_("...")``, ``words("...")`` or ``words.count("one", "many", number)``.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_SOURCE = _HERE.parent / "screen"
TEMPLATE = _HERE / "guichet.pot"

_HEADER = """\
# Texts of the Guichet kiosk. Fields in braces stay as they are; their order may change.
msgid ""
msgstr ""
"Project-Id-Version: guichet-sst\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A text, with its plural where it has one."""

    text: str
    plural: str = ""


def template() -> str:
    """The template's content: every text once, with the modules that say it."""
    found: dict[Entry, set[str]] = {}
    for path in sorted(_SOURCE.glob("*.py")):
        for entry in _entries(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(entry, set()).add(path.name)
    return _HEADER + "".join(_written(entry, sorted(found[entry])) for entry in sorted(found))


def _entries(tree: ast.AST) -> list[Entry]:
    entries: list[Entry] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        texts = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        match node.func:
            case ast.Name(id="N_" | "words") if texts:
                entries.append(Entry(texts[0]))
            case ast.Attribute(value=ast.Name(id="words"), attr="count") if len(texts) >= 2:
                entries.append(Entry(texts[0], texts[1]))
            case _:
                pass
    return entries


def _written(entry: Entry, modules: list[str]) -> str:
    lines = [f"\n#: {' '.join(modules)}", f"msgid {_quoted(entry.text)}"]
    if entry.plural:
        lines += [f"msgid_plural {_quoted(entry.plural)}", 'msgstr[0] ""', 'msgstr[1] ""']
    else:
        lines.append('msgstr ""')
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


if __name__ == "__main__":
    TEMPLATE.write_text(template(), encoding="utf-8")
