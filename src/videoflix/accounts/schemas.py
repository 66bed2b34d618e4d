"""Shapes of the accounts: what they say and accept over HTTP."""

from typing import Annotated, Self

import msgspec

from videoflix.accounts import models
from videoflix.platform.identity import Role

Email = Annotated[
    str, msgspec.Meta(min_length=3, max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")
]
Password = Annotated[str, msgspec.Meta(min_length=8, max_length=128, pattern=r"^[^\x00]*$")]


class Person(msgspec.Struct):
    """An account as its owner sees it."""

    id: int
    email: str
    name: str
    role: Role

    @classmethod
    def of(cls, user: models.User) -> Self:
        return msgspec.convert(user, cls, from_attributes=True)
