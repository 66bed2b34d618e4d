"""Tables of plans and memberships."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.postgres.session import Record


class Period(StrEnum):
    """Billing period of a plan."""

    MONTH = "month"
    YEAR = "year"


class Billing(StrEnum):
    """What a plan's price is per: period, stream, or hour of streaming."""

    FLAT = "flat"
    PER_STREAM = "per_stream"
    PER_HOUR = "per_hour"


class Plan(Record):
    """A plan; `price` is in minor units of the currency (cents).

    `streams` is the limit of concurrent streams, `max_height` of the resolution in lines.
    """

    __tablename__ = "plan"

    name: Mapped[str] = mapped_column(String(100), unique=True)
    price: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    period: Mapped[Period] = mapped_column(default=Period.MONTH)
    billing: Mapped[Billing] = mapped_column(default=Billing.FLAT, server_default=text("'flat'"))
    streams: Mapped[int] = mapped_column(SmallInteger)
    profiles: Mapped[int] = mapped_column(SmallInteger, default=5)
    max_height: Mapped[int | None] = mapped_column(SmallInteger, default=None)
    is_offered: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (
        CheckConstraint("price >= 0", name="ck_plan_price"),
        CheckConstraint("streams >= 1", name="ck_plan_streams"),
    )


class Membership(Record):
    """A user's membership from `starts_at` until `ends_at`, unless cancelled before.

    `streams_override` replaces the plan's limit of concurrent streams.
    """

    __tablename__ = "membership"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), unique=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey(Plan.id, ondelete="RESTRICT"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None] = mapped_column(default=None)
    cancelled_at: Mapped[datetime | None] = mapped_column(default=None)
    streams_override: Mapped[int | None] = mapped_column(SmallInteger, default=None)

    __table_args__ = (CheckConstraint("ends_at > starts_at", name="ck_membership_ends_at"),)


class MembershipTerm(Record):
    """The time a membership had a plan; billing periods are counted from `from_at`.

    A change of plan, a cancellation or a renewal after a break ends a term, so that the history is
    known for invoices.
    """

    __tablename__ = "membership_term"

    membership_id: Mapped[int] = mapped_column(
        ForeignKey(Membership.id, ondelete="CASCADE"), index=True
    )
    plan_id: Mapped[int] = mapped_column(ForeignKey(Plan.id, ondelete="RESTRICT"), index=True)
    from_at: Mapped[datetime]
    until_at: Mapped[datetime | None] = mapped_column(default=None)
