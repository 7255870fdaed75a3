"""What all tables have in common: names of constraints, 64-bit integers, enums as their words."""

from __future__ import annotations

import enum
from typing import TypeVar

from sqlalchemy import BigInteger, Enum, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows only in a column whose type is exactly INTEGER, which holds 64 bits there.
BIG = BigInteger().with_variant(Integer(), "sqlite")

# One row as SQLAlchemy takes its parameters, columns by their names: made of a record of the domain just before the
# statement that takes it, and passed on to nobody else. What is read comes back as a record at once.
Row = dict[str, object]

E = TypeVar("E", bound=enum.Enum)


def _values(kind: type[enum.Enum]) -> list[str]:
    return [str(member.value) for member in kind]


def words(kind: type[E], name: str) -> Enum:
    """A column type that stores an enum by its values, as text, and lets the database refuse any other."""
    return Enum(kind, native_enum=False, values_callable=_values, create_constraint=True, name=name, length=32)
