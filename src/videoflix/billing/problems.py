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


class InvoiceHasCharges(Conflict):
    """Automatic charges belong to the member who watched: they stay on this invoice."""


class MonthTaken(Conflict):
    """This member has an invoice of that month already: change that one instead."""


class NumberOfOtherYear(Conflict):
    """The invoice's number belongs to its year: delete it, and make one in the other year."""


class AmountBelowCharges(Conflict):
    """The automatic charges are more than this amount: change them line by line."""


class ChargeNotDeletable(Conflict):
    """This automatic charge can't be deleted, or it would be charged again: set it to 0 instead."""

    slug: ClassVar[str] = "charge-kept"


class InvoiceInOtherCurrency(Conflict):
    """This member's invoice of the month is in another currency."""
