"""The dialect `streaming`: invoices and their lines, checking people in and out."""

from videoflix.compat.dialect import Dialect
from videoflix.compat.streaming.counter import CounterController
from videoflix.compat.streaming.invoices import InvoiceController
from videoflix.compat.streaming.lines import LineController

STREAMING = Dialect("streaming", (InvoiceController, LineController, CounterController))
