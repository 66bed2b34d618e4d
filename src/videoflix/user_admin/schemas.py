"""Schemas of user administration."""

from datetime import datetime
from typing import Self

import msgspec
from msgspec import UNSET, UnsetType

from videoflix.accounts import models
from videoflix.accounts.schemas import (
    Email,
    Language,
    Name,
    Password,
    Phone,
    PostalAddress,
    UserRead,
)
from videoflix.platform.auth.identity import Role


class UserAdminRead(UserRead):
    """An account as administrators see it."""

    is_active: bool
    confirmed_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, user: models.User) -> Self:
        person = msgspec.structs.asdict(UserRead.of(user))
        return cls(
            **person,
            is_active=user.is_active,
            confirmed_at=user.confirmed_at,
            created_at=user.created_at,
        )


class UserCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A new user; without a password an e-mail invites them to choose one."""

    email: Email
    password: Password | None = None
    first_name: Name = ""
    last_name: Name = ""
    language: Language = "en"
    role: Role = Role.VIEWER


class UserAdminUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """Changes to an account by an administrator; omitted fields are unchanged."""

    first_name: Name | UnsetType = UNSET
    last_name: Name | UnsetType = UNSET
    phone: Phone | UnsetType = UNSET
    address: PostalAddress | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    role: Role | UnsetType = UNSET
