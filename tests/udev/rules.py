"""udev's rule language, as much of it as our rules use, read strictly: what udev would warn of is an error here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

MATCHES = frozenset({"ACTION", "KERNEL", "SUBSYSTEM", "SUBSYSTEMS", "ENV", "ATTR", "ATTRS"})
ASSIGNMENTS = {
    "ENV": {"="}, "SYMLINK": {"+="}, "TAG": {"+="}, "GROUP": {"=", ":="}, "MODE": {"=", ":="}, "GOTO": {"="},
    "LABEL": {"="}, "IMPORT": {"="},
}  # fmt: skip
BUILTINS = frozenset({"usb_id", "path_id"})
_TERM = re.compile(r'\s*([A-Z]+)(?:\{([^}"]+)\})?(==|!=|\+=|-=|:=|=)"([^"]*)"\s*')


class RuleError(ValueError):
    """A line that udev would not take, or would take for something else."""


@dataclass(frozen=True)
class Term:
    """``key{attribute} operator "value"``."""

    key: str
    attribute: str
    operator: str
    value: str

    @property
    def is_match(self) -> bool:
        return self.operator in ("==", "!=")


@dataclass(frozen=True)
class Rule:
    """One line."""

    where: str
    terms: tuple[Term, ...]

    def assigned(self, key: str) -> list[str]:
        return [term.value for term in self.terms if not term.is_match and term.key == key]


@dataclass
class Event:
    """A device as it comes to the rules, and what they made of it."""

    action: str
    kernel: str
    subsystem: str
    properties: dict[str, str]
    imports: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    links: list[str] = field(default_factory=list[str])
    tags: list[str] = field(default_factory=list[str])
    group: str = "root"
    mode: str = "0600"


def parse(path: Path) -> list[Rule]:
    """Every rule of a file. Raises :class:`RuleError`."""
    text = path.read_text(encoding="utf-8")
    if not text.endswith("\n"):
        raise RuleError(f"{path.name}: the last line has no end")
    lines = enumerate(text.splitlines(), 1)
    return [parse_line(line, f"{path.name}:{number}") for number, line in lines if line and not line.startswith("#")]


def parse_line(line: str, where: str) -> Rule:
    """One rule; terms are divided by commas, no comma at the end, matches before assignments."""
    terms: list[Term] = []
    position = 0
    while True:
        found = _TERM.match(line, position)
        if found is None:
            raise RuleError(f"{where}: not a term: {line[position:]!r}")
        terms.append(_checked(Term(found[1], found[2] or "", found[3], found[4]), where))
        position = found.end()
        if position == len(line):
            break
        if line[position] != ",":
            raise RuleError(f"{where}: a comma is missing before {line[position:]!r}")
        position += 1
    kinds = [term.is_match for term in terms]
    if kinds != sorted(kinds, reverse=True):
        raise RuleError(f"{where}: a match behind an assignment is read as if it stood before")
    return Rule(where, tuple(terms))


def _checked(term: Term, where: str) -> Term:
    if term.is_match:
        if term.key not in MATCHES:
            raise RuleError(f"{where}: {term.key} cannot be matched")
    elif term.operator not in ASSIGNMENTS.get(term.key, set()):
        raise RuleError(f"{where}: {term.key} takes no {term.operator}")
    if (term.key in ("ENV", "ATTR", "ATTRS", "IMPORT")) != bool(term.attribute):
        raise RuleError(f"{where}: {term.key} and its braces")
    if term.key == "IMPORT" and (term.attribute != "builtin" or term.value not in BUILTINS):
        raise RuleError(f"{where}: unknown import {term.attribute} {term.value}")
    if term.key == "MODE" and not re.fullmatch(r"0[0-7]{3}", term.value):
        raise RuleError(f"{where}: not a mode: {term.value}")
    return term


def run(files: list[list[Rule]], event: Event) -> Event:
    """Let ``event`` pass all rules, file by file, as udevd would."""
    for rules in files:
        label = ""
        for rule in rules:
            if label:
                label = "" if label in rule.assigned("LABEL") else label
            elif all(_matches(term, event) for term in rule.terms if term.is_match):
                _assign(rule, event)
                label = "".join(rule.assigned("GOTO"))
        if label:
            raise RuleError(f"no LABEL {label}")
    return event


def _matches(term: Term, event: Event) -> bool:
    actual = {
        "ACTION": event.action,
        "KERNEL": event.kernel,
        "SUBSYSTEM": event.subsystem,
        "SUBSYSTEMS": event.properties.get("ID_BUS", ""),
        "ENV": event.properties.get(term.attribute, ""),
    }[term.key]
    return any(fnmatchcase(actual, pattern) for pattern in term.value.split("|")) == (term.operator == "==")


def _assign(rule: Rule, event: Event) -> None:
    for term in rule.terms:
        if term.is_match:
            continue
        match term.key:
            case "ENV":
                event.properties[term.attribute] = term.value
            case "SYMLINK":
                event.links.append(term.value.replace("%k", event.kernel))
            case "TAG":
                event.tags.append(term.value)
            case "GROUP":
                event.group = term.value
            case "MODE":
                event.mode = term.value
            case "IMPORT":
                event.properties.update(event.imports.get(term.value, {}))
            case _:
                pass
