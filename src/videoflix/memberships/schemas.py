"""Wire types of plans and memberships."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

import msgspec
from msgspec import UNSET, UnsetType

from videoflix.memberships import models
from videoflix.memberships.models import Billing, Period
from videoflix.platform.http.params import BIGINT_MAX, VISIBLE, Moment, ensure_plausible

PlanName = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=100, pattern=rf"^[^\x00\r\n]*{VISIBLE}[^\x00\r\n]*(?!\n)$"
    ),
]
Price = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]
Streams = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Profiles = Annotated[int, msgspec.Meta(ge=1, le=5)]
Height = Annotated[int, msgspec.Meta(ge=120, le=4320)]
Id = Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]


class Currency(StrEnum):
    """Currencies with 100 minor units, and the yen, which has none (ISO 4217)."""

    EUR = "EUR"
    USD = "USD"
    GBP = "GBP"
    CHF = "CHF"
    SEK = "SEK"
    NOK = "NOK"
    DKK = "DKK"
    PLN = "PLN"
    CZK = "CZK"
    CAD = "CAD"
    AUD = "AUD"
    JPY = "JPY"


class MembershipStatus(StrEnum):
    """Status of a membership."""

    ACTIVE = "active"
    FUTURE = "future"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class PlanCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A new plan; `price` is in minor units."""

    name: PlanName
    price: Price
    currency: Currency
    streams: Streams
    period: Period = Period.MONTH
    billing: Billing = Billing.FLAT
    profiles: Profiles = 5
    max_height: Height | None = None
    is_offered: bool = True


class PlanUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """Changes to a plan, which apply to its members immediately; omitted fields stay unchanged."""

    name: PlanName | UnsetType = UNSET
    price: Price | UnsetType = UNSET
    streams: Streams | UnsetType = UNSET
    profiles: Profiles | UnsetType = UNSET
    max_height: Height | UnsetType | None = UNSET
    is_offered: bool | UnsetType = UNSET


class PlanRead(msgspec.Struct):
    """A plan; `price` is in minor units of the currency."""

    id: int
    name: str
    price: int
    currency: str
    period: Period
    billing: Billing
    streams: int
    profiles: int
    max_height: int | None
    is_offered: bool

    @classmethod
    def of(cls, plan: models.Plan) -> Self:
        return msgspec.convert(plan, cls, from_attributes=True)


class MembershipCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A new membership; `starts_at` defaults to now."""

    user_id: Id
    plan_id: Id
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    streams_override: Streams | None = None

    def __post_init__(self) -> None:
        ensure_plausible(self.starts_at, self.ends_at)


class MembershipUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """Changes to a membership; omitted fields stay unchanged."""

    plan_id: Id | UnsetType = UNSET
    starts_at: Moment | UnsetType = UNSET
    ends_at: Moment | UnsetType | None = UNSET
    streams_override: Streams | UnsetType | None = UNSET
    cancelled: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        ensure_plausible(self.starts_at, self.ends_at)


class MembershipRead(msgspec.Struct):
    """A user's membership; `streams` is the limit of concurrent streams."""

    id: int
    user_id: int
    plan: PlanRead
    standing: MembershipStatus
    starts_at: datetime
    ends_at: datetime | None
    cancelled_at: datetime | None
    streams: int
    streams_override: int | None


class MembershipAdminRead(MembershipRead):
    """A membership for administrators; `owner` is the user's e-mail address."""

    owner: str


def status_of(membership: models.Membership, now: datetime) -> MembershipStatus:
    """The status of a membership at a time."""
    if membership.cancelled_at is not None:
        return MembershipStatus.CANCELLED
    if membership.starts_at > now:
        return MembershipStatus.FUTURE
    if membership.ends_at is not None and membership.ends_at <= now:
        return MembershipStatus.EXPIRED
    return MembershipStatus.ACTIVE


class TermDates(NamedTuple):
    """The dates of a membership before a change; `ended_at` is set if it had expired."""

    starts_at: datetime
    ended_at: datetime | None
    was_cancelled: bool

    @classmethod
    def of(cls, membership: models.Membership, now: datetime) -> Self:
        is_over = status_of(membership, now) is MembershipStatus.EXPIRED
        ended_at = membership.ends_at if is_over else None
        return cls(membership.starts_at, ended_at, membership.cancelled_at is not None)
