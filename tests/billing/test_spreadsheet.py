"""Invoices as rows of a spreadsheet."""

from datetime import date

import pytest

from videoflix.billing.models import Invoice
from videoflix.billing.spreadsheet import as_cell, as_csv, as_rows


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_formulas_are_quoted(first: str) -> None:
    """A spreadsheet would run them (OWASP, CSV injection)."""
    assert as_cell(f"{first}SUM(A1:A9)") == f"'{first}SUM(A1:A9)"


@pytest.mark.parametrize("text", ["", "Anne", "a=b", " =b", "'quoted", "1-2"])
def test_other_text_is_unchanged(text: str) -> None:
    assert as_cell(text) == text


def test_rows() -> None:
    invoice = Invoice(
        number="2026-7",
        period=date(2026, 3, 1),
        owner="=cmd()",
        status="paid",
        currency="EUR",
        amount=1299,
    )
    assert as_rows([]) == []
    assert as_rows([invoice]) == [["2026-7", "2026-03", "'=cmd()", "paid", "EUR", "1299"]]


def test_csv_is_quoted_and_encoded() -> None:
    assert as_csv([["Straße", 'a "b", c']]) == 'Straße,"a ""b"", c"\r\n'.encode()
