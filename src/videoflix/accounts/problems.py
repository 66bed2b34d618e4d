"""Problems of credentials and accounts."""

from typing import ClassVar

from videoflix.platform.problems import BadRequest, Conflict, InvalidInput, Unauthorized


class InvalidCredentials(Unauthorized):
    """Wrong e-mail address or password."""

    slug: ClassVar[str] = "credentials-refused"


class EmailUnconfirmed(InvalidCredentials):
    """Confirm your e-mail address first; the link is in the e-mail we sent you."""

    slug: ClassVar[str] = "address-unconfirmed"


class AccountDisabled(InvalidCredentials):
    """This account is deactivated."""

    slug: ClassVar[str] = "switched-off"


class EmailTaken(Conflict):
    """Another account already uses this e-mail address."""


class WeakPassword(InvalidInput):
    """This password is too easy to guess."""

    slug: ClassVar[str] = "password-weak"


class WrongPassword(BadRequest):
    """Wrong password."""

    slug: ClassVar[str] = "password-wrong"


class LastAdmin(Conflict):
    """There has to be at least one administrator: add another one first."""
