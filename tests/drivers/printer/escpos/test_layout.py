"""Blocks to lines: widths, wrapping, and what a merchant's name may not do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api.document import Align, Block, Document, QrCode, Row, Rule, Space, Text
from drivers.printer.escpos.layout import COLUMNS, MAX_LINES, Code, LayoutError, Line, clean, lay_out


def lines(*blocks: Block, columns: int = 32) -> list[str]:
    return [item.text for item in lay_out(Document("test", blocks), columns) if isinstance(item, Line)]


def test_a_row_puts_its_value_at_the_right_edge() -> None:
    assert lines(Row("3 x 50.00 EUR", "150.00")) == ["3 x 50.00 EUR             150.00"]


def test_a_rows_long_name_goes_on_below_its_value_indented() -> None:
    assert lines(Row("Direct debit Latvenergo AS, electricity", "-275.48")) == [
        "Direct debit Latvenergo  -275.48",
        "  AS, electricity",
    ]


def test_a_value_wider_than_half_the_paper_has_a_line_of_its_own() -> None:
    assert lines(Row("22.11.2026 14:07", "Terminal RIX-0042-A")) == [
        "22.11.2026 14:07",
        "Terminal RIX-0042-A".rjust(32),
    ]


def test_a_value_wider_than_the_paper_is_wrapped_at_the_right() -> None:
    assert lines(Row("", "y" * 40)) == ["y" * 32, ("y" * 8).rjust(32)]


def test_an_amounts_thousands_are_never_torn_apart() -> None:
    assert lines(Text("You have paid in exactly 1\u00a0204\u202f500.00 EUR today")) == [
        "You have paid in exactly",
        "1 204 500.00 EUR today",
    ]


def test_large_text_is_wrapped_at_half_the_columns() -> None:
    assert lines(Text("BALTIC EXAMPLE BANK", large=True)) == ["BALTIC EXAMPLE", "BANK"]


def test_text_keeps_its_style_and_place() -> None:
    assert lay_out(Document("test", (Text("hello", Align.CENTRE, bold=True),)), 42) == (
        Line("hello", Align.CENTRE, bold=True),
    )


def test_rule_space_and_code_come_out_as_they_are() -> None:
    laid = lay_out(Document("test", (Rule(), Space(2), QrCode("claim:1"))), 32)
    assert laid == (Line("─" * 32), Line(""), Line(""), Code("claim:1"))


def test_a_letter_and_its_mark_become_one_character() -> None:
    assert clean("Ri\u0304ga \u0435\u0308") == "Rīga \u0451"


@pytest.mark.parametrize(
    ("named", "printed"),
    [
        ("SHOP\x1b@\x1bp\x00\x19\xfa", "SHOP@pú"),
        ("SHOP\x10\x14\x01\x00\x05", "SHOP"),
        ("SHOP\x1dV\x00", "SHOPV"),
        ("SHOP\nCredited 1000.00 EUR", "SHOP Credited 1000.00 EUR"),
        ("SHOP\r\n\tX", "SHOP   X"),
        ("SHOP\u202e00.1", "SHOP00.1"),
        ("SHOP\x85\u2028X\x9bm", "SHOP  Xm"),
        ("\x7fSHOP\ufeff\ue000", "SHOP"),
    ],
)
def test_control_characters_of_a_name_do_not_pass(named: str, printed: str) -> None:
    assert clean(named) == printed


@given(st.text(max_size=200), st.text(max_size=60), st.sampled_from(COLUMNS))
def test_no_text_whatever_makes_a_line_too_wide_or_leaves_a_control_character(
    left: str, right: str, columns: int
) -> None:
    blocks = (Text(left), Text(left, large=True), Row(left, right))
    for item in lay_out(Document("test", blocks), columns):
        assert isinstance(item, Line)
        assert len(item.text) <= (columns // 2 if item.large else columns)
        assert item.text.isprintable() or not item.text


@pytest.mark.parametrize("content", ["", "\x1b\x1d", "x" * 301])
def test_a_code_without_content_or_with_too_much_is_refused(content: str) -> None:
    with pytest.raises(LayoutError, match="1 to 300"):
        lay_out(Document("test", (QrCode(content),)), 48)


def test_a_document_without_an_end_is_refused() -> None:
    assert len(lines(Space(MAX_LINES))) == MAX_LINES
    with pytest.raises(LayoutError, match="more than"):
        lines(Text("one"), Space(MAX_LINES))


def test_a_width_that_no_paper_has_is_refused() -> None:
    with pytest.raises(LayoutError, match="32, 42, 48"):
        lines(Rule(), columns=40)
