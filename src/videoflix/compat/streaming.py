"""The dialect `streaming`: Invoices and their lines, checking in and out."""

from videoflix.compat.dialect import Dialect

STREAMING = Dialect("streaming", ())
