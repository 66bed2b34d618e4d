"""Invoices as CSV rows. Pure functions: no database, no HTTP."""

from collections.abc import Sequence

from videoflix.billing.models import Invoice


def as_rows(invoices: Sequence[Invoice]) -> list[list[str]]:
    """Convert invoices to rows, with a header row."""
    head = ["number", "month", "owner", "status", "currency", "amount"]
    return [head] + [
        [i.number, f"{i.period:%Y-%m}", as_cell(i.owner), i.status, i.currency, str(i.amount)]
        for i in invoices
    ]


def as_cell(words: str) -> str:
    """Escape text that spreadsheets would run as a formula (OWASP: CSV injection)."""
    return f"'{words}" if words.startswith(("=", "+", "-", "@", "\t", "\r")) else words
