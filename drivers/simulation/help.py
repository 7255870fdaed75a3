"""What a simulator's ``help`` answers: one line for each thing that can be told to it."""

from __future__ import annotations


def help_text(*words: tuple[str, str]) -> str:
    """Each of ``words``, what is told and what it does, on a line of its own."""
    width = max(len(told) for told, _ in words)
    return "\n".join(f"{told:{width}}  {meaning}" for told, meaning in words)
