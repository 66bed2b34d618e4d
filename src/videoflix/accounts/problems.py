"""What can be wrong with credentials and accounts."""

from typing import ClassVar

from videoflix.platform.problems import BadRequest, Conflict, InvalidInput, Unauthorized


class InvalidCredentials(Unauthorized):
    """E-mail address and password do not belong together."""

    slug: ClassVar[str] = "credentials-refused"


class EmailUnconfirmed(InvalidCredentials):
    """Confirm your e-mail address first: a mail says how."""

    slug: ClassVar[str] = "address-unconfirmed"


class AccountDisabled(InvalidCredentials):
    """This account is switched off."""

    slug: ClassVar[str] = "switched-off"


class EmailTaken(Conflict):
    """Another account already uses this e-mail address."""


class WeakPassword(InvalidInput):
    """This password would be guessed at once."""

    slug: ClassVar[str] = "password-weak"


class WrongPassword(BadRequest):
    """This is not your password."""

    slug: ClassVar[str] = "password-wrong"


class LastAdmin(Conflict):
    """Somebody has to stay administrator: make another one first."""
