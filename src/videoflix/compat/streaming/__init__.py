"""The dialect `streaming`: invoices and their lines, check-in and check-out."""

from videoflix.compat.dialect import Dialect
from videoflix.compat.pages import PANEL, redirects
from videoflix.compat.streaming.checkins import CheckInController
from videoflix.compat.streaming.invoice_lines import LineController
from videoflix.compat.streaming.invoices import InvoiceController, RootController

STREAMING = Dialect(
    "streaming",
    (
        RootController,
        InvoiceController,
        LineController,
        CheckInController,
        redirects({"/admin/core": PANEL}),
    ),
)
