"""Invoices as rows of a spreadsheet. A leaf: no database, no HTTP."""

from collections.abc import Sequence

from videoflix.billing.models import Invoice


def as_rows(invoices: Sequence[Invoice]) -> list[list[str]]:
    """Invoices as rows of a table, with a head."""
    head = ["number", "month", "owner", "status", "currency", "amount"]
    return [head] + [
        [i.number, f"{i.period:%Y-%m}", as_cell(i.owner), i.status, i.currency, str(i.amount)]
        for i in invoices
    ]


def as_cell(words: str) -> str:
    """Words people chose, as a spreadsheet shows them: a formula is only text."""
    return f"'{words}" if words.startswith(("=", "+", "-", "@", "\t", "\r")) else words
