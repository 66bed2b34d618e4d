"""Schemas of registration and mailed tokens."""

from typing import Annotated, ClassVar

import msgspec

from videoflix.accounts.schemas import Email, Language, Name, Password, Typed
from videoflix.platform.queue import Job

Secret = Annotated[
    str, msgspec.Meta(min_length=20, max_length=100, pattern=r"^[A-Za-z0-9_-]+(?!\n)$")
]


class RegistrationCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A new registration."""

    email: Email
    password: Password
    first_name: Name = ""
    last_name: Name = ""
    language: Language = "en"


class Registered(msgspec.Struct, frozen=True):
    """The result of a registration, also for an address that already has an account.

    `user_id` is an ID that was never used. `is_known` must not be disclosed to clients.
    """

    user_id: int
    email: str
    first_name: str
    last_name: str
    is_known: bool


class Accepted(msgspec.Struct):
    """A response that does not reveal whether the address is known."""

    detail: str


class MailedToken(msgspec.Struct, forbid_unknown_fields=True):
    """The token of a mailed link."""

    token: Secret


class Address(msgspec.Struct, forbid_unknown_fields=True):
    """The e-mail address to send the link to."""

    email: Email


class PasswordReset(msgspec.Struct, forbid_unknown_fields=True):
    """The token of a mailed link, and the new password."""

    token: Secret
    password: Password


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True):
    """Your current password and the new one."""

    current: Typed
    password: Password


class EmailChange(msgspec.Struct, forbid_unknown_fields=True):
    """Your password and the new address, which has to be confirmed."""

    password: Typed
    email: Email


class AccountDeletion(msgspec.Struct, forbid_unknown_fields=True):
    """Your password, to confirm the deletion."""

    password: Typed


class SendActivationMail(Job):
    """Mail a confirmation link, or a notice that the address already has an account."""

    name: ClassVar = "registration.write_to_registrant"
    email: str
    # ID of the registration; 0 to resend the mail.
    link_id: int = 0


class SendPasswordResetMail(Job):
    """Mail a password reset link, if there is an account with this address."""

    name: ClassVar = "registration.write_reset"
    email: str


class SendEmailChangeMail(Job):
    """Mail a confirmation link to a user's new address."""

    name: ClassVar = "registration.write_to_new_address"
    user_id: int
    email: str
    # The account's version at the time of the request; a password change since then cancels it.
    auth_version: int = 0
