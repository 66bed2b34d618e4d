"""Shapes of registering, and of proving an address by mail."""

from typing import Annotated, ClassVar, Literal

import msgspec

from videoflix.accounts.schemas import Email, Password
from videoflix.platform.queue import Job

Name = Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[^\x00\r\n]*$")]
Secret = Annotated[str, msgspec.Meta(min_length=20, max_length=100, pattern=r"^[\w-]+$")]


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    """Who wants an account."""

    email: Email
    password: Password
    name: Name = ""
    language: Literal["en", "de"] = "en"


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

    current: Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[^\x00]*$")]
    password: Password


class EmailChange(msgspec.Struct, forbid_unknown_fields=True):
    """Your password, and the new address, which has to be confirmed."""

    password: Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[^\x00]*$")]
    email: Email


class WriteToRegistrant(Job):
    """Mail a link to confirm the address, or say that there is an account already."""

    name: ClassVar = "registration.write_to_registrant"
    email: str


class WriteReset(Job):
    """Mail a link to choose a new password, if anybody has this address."""

    name: ClassVar = "registration.write_reset"
    email: str


class WriteToNewAddress(Job):
    """Mail a link to the address somebody wants to change to."""

    name: ClassVar = "registration.write_to_new_address"
    user_id: int
    email: str
