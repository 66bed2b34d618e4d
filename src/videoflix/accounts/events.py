"""Events about accounts. They contain no personal data: receivers read it from the API."""

from typing import ClassVar, Self

from videoflix.accounts.models import User
from videoflix.platform.auth.identity import Role
from videoflix.platform.events import EventData


class UserCreated(EventData):
    """An account with a confirmed e-mail address exists. Guests are not reported."""

    type: ClassVar = "user.created"
    object: ClassVar = "user"
    example: ClassVar = {"user_id": 7, "role": "viewer"}
    user_id: int
    role: Role

    @classmethod
    def of(cls, user: User) -> Self:
        return cls(user_id=user.id, role=user.role)


class UserDeleted(UserCreated):
    """An account and its data were deleted."""

    type: ClassVar = "user.deleted"
