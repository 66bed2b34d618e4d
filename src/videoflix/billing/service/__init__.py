"""Use cases of invoices."""

from videoflix.billing.service.invoices import Invoices, format_amount
from videoflix.billing.service.month_export import month_csv

__all__ = ["Invoices", "format_amount", "month_csv"]
