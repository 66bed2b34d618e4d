"""Events about memberships."""

from datetime import datetime
from typing import Any, ClassVar, Self

from videoflix.memberships.models import Membership
from videoflix.platform.events import EventData


class MembershipCreated(EventData):
    """A user got a membership. It may start later, and it expires at `ends_at` without an event."""

    type: ClassVar = "membership.created"
    object: ClassVar = "membership"
    example: ClassVar[dict[str, Any]] = {
        "membership_id": 4,
        "user_id": 7,
        "plan_id": 2,
        "starts_at": "2026-05-01T00:00:00Z",
        "ends_at": None,
        "cancelled_at": None,
    }
    membership_id: int
    user_id: int
    plan_id: int
    starts_at: datetime
    ends_at: datetime | None
    cancelled_at: datetime | None

    @classmethod
    def of(cls, membership: Membership) -> Self:
        return cls(
            membership_id=membership.id,
            user_id=membership.user_id,
            plan_id=membership.plan_id,
            starts_at=membership.starts_at,
            ends_at=membership.ends_at,
            cancelled_at=membership.cancelled_at,
        )


class MembershipChanged(MembershipCreated):
    """Plan, dates or limits of a membership changed, or a cancellation was taken back."""

    type: ClassVar = "membership.changed"


class MembershipEnded(MembershipCreated):
    """A membership was cancelled or deleted."""

    type: ClassVar = "membership.ended"
    example: ClassVar[dict[str, Any]] = MembershipCreated.example | {
        "cancelled_at": "2026-05-20T09:00:00Z"
    }


def change_of(membership: Membership, *, was_cancelled: bool) -> MembershipCreated:
    """The event of a change: a membership that is cancelled now has ended."""
    ends = membership.cancelled_at is not None and not was_cancelled
    return (MembershipEnded if ends else MembershipChanged).of(membership)
