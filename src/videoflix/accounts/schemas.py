"""Schemas of the accounts API."""

from typing import Annotated, Literal, Self

import msgspec
from msgspec import UNSET, UnsetType

from videoflix.accounts import models
from videoflix.platform.auth.identity import Role
from videoflix.settings import settings

# A single address; excludes characters that NFKC maps to punctuation or phrases, such as ＠ or ﷺ.
_PART = r"[^@\s\x00-\x1f\x7f-\x9f,;<>\"\u2100-\u2bff\u3200-\u33ff\ufb00-\uffff]+"
Email = Annotated[
    str, msgspec.Meta(min_length=3, max_length=254, pattern=rf"^{_PART}@{_PART}(?!\n)$")
]
Password = Annotated[
    str,
    msgspec.Meta(min_length=settings.password_min, max_length=128, pattern=r"^[^\x00]*$"),
]
# A password to verify, which need not satisfy the current policy.
Typed = Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[^\x00]*$")]
Name = Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[^\x00\r\n]*(?!\n)$")]
Phone = Annotated[str, msgspec.Meta(max_length=30, pattern=r"^[0-9 +()/.-]*(?!\n)$")]
PostalAddress = Annotated[str, msgspec.Meta(max_length=300, pattern=r"^[^\x00]*$")]
Language = Literal["en", "de"]


class UserRead(msgspec.Struct):
    """An account as its owner sees it.

    `initials` is a placeholder for a picture; `name` is the full name.
    """

    id: int
    email: str
    name: str
    first_name: str
    last_name: str
    initials: str
    phone: str
    address: str
    language: str
    role: Role
    is_guest: bool

    @classmethod
    def of(cls, user: models.User) -> Self:
        return cls(
            id=user.id,
            email=user.email,
            name=user.name,
            first_name=user.first_name,
            last_name=user.last_name,
            initials=initials(user),
            phone=user.phone,
            address=user.address,
            language=user.language,
            role=user.role,
            is_guest=user.is_guest,
        )


class UserUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """Changes to your own account; omitted fields are unchanged."""

    first_name: Name | UnsetType = UNSET
    last_name: Name | UnsetType = UNSET
    phone: Phone | UnsetType = UNSET
    address: PostalAddress | UnsetType = UNSET
    language: Language | UnsetType = UNSET


def initials(user: models.User) -> str:
    """Return one or two initials of the name, or of the address."""
    letters = "".join(name[:1] for name in (user.first_name, user.last_name) if name)
    return (letters or user.email[:1]).upper()
