"""Shapes of registering, and of proving an address by mail."""

from typing import Annotated, ClassVar

import msgspec

from videoflix.accounts.schemas import Email, Language, Name, Password, Typed
from videoflix.platform.queue import Job

Secret = Annotated[
    str, msgspec.Meta(min_length=20, max_length=100, pattern=r"^[A-Za-z0-9_-]+(?!\n)$")
]


class RegistrationCreate(msgspec.Struct, forbid_unknown_fields=True):
    """Who wants an account."""

    email: Email
    password: Password
    first_name: Name = ""
    last_name: Name = ""
    language: Language = "en"


class Registered(msgspec.Struct, frozen=True):
    """What a registration is answered with, also for an address that has an account.

    `user_id` is a number that no account had until now. `is_known` must not reach clients.
    """

    user_id: int
    email: str
    first_name: str
    last_name: str
    is_known: bool


class Accepted(msgspec.Struct):
    """The same answer whether or not the address is known."""

    detail: str


class MailedToken(msgspec.Struct, forbid_unknown_fields=True):
    """The token of a mailed link."""

    token: Secret


class Address(msgspec.Struct, forbid_unknown_fields=True):
    """Where to send the next mail."""

    email: Email


class PasswordReset(msgspec.Struct, forbid_unknown_fields=True):
    """The token of a mailed link, and the new password."""

    token: Secret
    password: Password


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True):
    """Your password until now, and the new one."""

    current: Typed
    password: Password


class EmailChange(msgspec.Struct, forbid_unknown_fields=True):
    """Your password, and the new address, which has to be confirmed."""

    password: Typed
    email: Email


class AccountDeletion(msgspec.Struct, forbid_unknown_fields=True):
    """Your password, to close your account with."""

    password: Typed


class SendActivationMail(Job):
    """Mail a link to confirm the address, or say that there is an account already."""

    name: ClassVar = "registration.write_to_registrant"
    email: str
    # The registration; 0 when the mail is only asked for once more.
    link_id: int = 0


class SendPasswordResetMail(Job):
    """Mail a link to choose a new password, if anybody has this address."""

    name: ClassVar = "registration.write_reset"
    email: str


class SendEmailChangeMail(Job):
    """Mail a link to the address somebody wants to change to."""

    name: ClassVar = "registration.write_to_new_address"
    user_id: int
    email: str
    # The account's when it was asked for: another password since then withdraws the wish.
    auth_version: int = 0
