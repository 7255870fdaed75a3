"""What keeps a count from closing claims by itself stands with its lines, and in their verdict."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BEFORE = (
    "exact", "covers the doubts", "does not cover all doubts", "nothing over for the doubts", "short", "over",
    "waits for settlement",
)  # fmt: skip
VERDICTS = (*BEFORE, "persons decide")
OBSTACLES = (
    "terminal and books differ", "no exchange was seen", "a note may lie in another box", "a find of unknown value",
    "more than was counted before",
)  # fmt: skip
COUNT = ["terminal_id", "box_period_id", "count_number"]
FIGURES = ("pieces", "credited", "found", "withheld", "in_doubt", "unsettled")
KEPT = (*COUNT, "currency", "value_minor", *FIGURES, "verdict")


def words(*values: str, name: str) -> sa.Enum:
    """A column of one of these words."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    """Make the table anew around its rows: SQLite cannot change which words a column takes."""
    _lines(VERDICTS, sa.Column("obstacle", words(*OBSTACLES, name="obstacle"), nullable=True))


def downgrade() -> None:
    """Go back where nothing was counted yet. Otherwise RuntimeError: it is kept."""
    there = sa.select(sa.literal(1)).select_from(sa.table("box_count_lines")).limit(1)
    if op.get_bind().execute(there).first() is not None:
        raise RuntimeError("box_count_lines is not empty: what was counted is not thrown away by a command")
    _lines(BEFORE)


def _lines(verdicts: tuple[str, ...], *more: sa.Column[str]) -> None:
    op.create_table(
        "box_count_lines_anew",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("box_period_id", sa.String(length=64), nullable=False),
        sa.Column("count_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("value_minor", BIG, autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in FIGURES),
        sa.Column("verdict", words(*verdicts, name="verdict"), nullable=False),
        *more,
        sa.CheckConstraint("pieces >= 0", name=op.f("ck_box_count_lines_no_fewer_than_none")),
        sa.ForeignKeyConstraint(
            COUNT,
            [f"box_counts.{column}" for column in COUNT],
            name=op.f("fk_box_count_lines_terminal_id_box_period_id_count_number"),
        ),
        sa.PrimaryKeyConstraint(*COUNT, "currency", "value_minor", name=op.f("pk_box_count_lines")),
    )
    columns = ", ".join(KEPT)
    op.execute(f"INSERT INTO box_count_lines_anew ({columns}) SELECT {columns} FROM box_count_lines")  # noqa: S608
    op.drop_table("box_count_lines")
    op.rename_table("box_count_lines_anew", "box_count_lines")
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER box_count_lines_no_{action.lower()} BEFORE {action} ON box_count_lines "
            "BEGIN SELECT RAISE(ABORT, 'box_count_lines is append-only'); END"
        )
