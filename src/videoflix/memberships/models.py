"""Tables of plans and memberships."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.postgres.session import Record


class Period(StrEnum):
    """How often a plan is paid."""

    MONTH = "month"
    YEAR = "year"


class Billing(StrEnum):
    """What a plan's price is for: a period, each stream, or each hour of streams."""

    FLAT = "flat"
    PER_STREAM = "per_stream"
    PER_HOUR = "per_hour"


class Plan(Record):
    """What members may buy: `price` counts the currency's minor units (cents).

    `streams` may run at once; `max_height` limits the picture, in lines.
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
    """A person's plan from `starts_at` until `ends_at`, unless it was cancelled.

    `streams_override` takes the place of the plan's number.
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
    """Since when a membership has a plan, and until when: periods are counted from `from_at`.

    Another plan, a cancellation or going on after a break ends a term; so what was agreed at any
    time stays known for the invoices.
    """

    __tablename__ = "membership_term"

    membership_id: Mapped[int] = mapped_column(
        ForeignKey(Membership.id, ondelete="CASCADE"), index=True
    )
    plan_id: Mapped[int] = mapped_column(ForeignKey(Plan.id, ondelete="RESTRICT"), index=True)
    from_at: Mapped[datetime]
    until_at: Mapped[datetime | None] = mapped_column(default=None)
