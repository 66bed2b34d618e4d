"""Invoices as CSV (RFC 4180). Pure functions: no database, no HTTP."""

import csv
import io
from collections.abc import Iterable, Sequence

from videoflix.billing.models import Invoice

HEAD = ("number", "month", "owner", "status", "currency", "amount")
# Without a byte order mark, Excel reads UTF-8 as the system's own encoding.
BYTE_ORDER_MARK = "\ufeff"


def as_rows(invoices: Iterable[Invoice]) -> list[list[str]]:
    """Convert invoices to rows under HEAD; the amount is in minor units."""
    return [
        [i.number, f"{i.period:%Y-%m}", as_cell(i.owner), i.status, i.currency, str(i.amount)]
        for i in invoices
    ]


def as_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """Format rows, encoded as UTF-8."""
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()


def as_cell(words: str) -> str:
    """Escape text that spreadsheets would run as a formula (OWASP: CSV injection)."""
    return f"'{words}" if words.startswith(("=", "+", "-", "@", "\t", "\r")) else words
