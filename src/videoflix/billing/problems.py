"""Problems of invoices."""

from typing import ClassVar

from videoflix.platform.problems import Conflict, NotFound


class InvoiceNotFound(NotFound):
    """The invoice doesn't exist, or is not yours."""


class LineNotFound(NotFound):
    """The line doesn't exist on this invoice."""


class InvoiceClosed(Conflict):
    """A paid or void invoice can't be changed: add a charge to the next month instead."""


class InvoiceNotDeletable(Conflict):
    """Only a year's newest, outstanding invoice without charges can be deleted: void it instead."""

    slug: ClassVar[str] = "invoice-kept"


class ChargeNotDeletable(Conflict):
    """This automatic charge can't be deleted, or it would be charged again: set it to 0 instead."""

    slug: ClassVar[str] = "charge-kept"


class InvoiceInOtherCurrency(Conflict):
    """This member's invoice of the month is in another currency."""
