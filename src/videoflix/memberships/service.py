"""Plans, and who has which."""

from datetime import datetime
from typing import ClassVar, NamedTuple, Self

import msgspec
from advanced_alchemy.filters import LimitOffset
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.service import Accounts
from videoflix.memberships.models import Membership, MembershipTerm, Plan
from videoflix.memberships.repository import (
    MembershipRepository,
    MembershipTermRepository,
    PlanRepository,
    is_member,
    plan_of_member,
)
from videoflix.memberships.schemas import (
    MembershipAdminRead,
    MembershipCreate,
    MembershipRead,
    MembershipStatus,
    MembershipUpdate,
    PlanCreate,
    PlanRead,
    PlanUpdate,
    status_of,
)
from videoflix.platform.postgres.notify import publish
from videoflix.platform.postgres.session import transaction_time, violated
from videoflix.platform.problems import Conflict, Forbidden, InvalidInput, NotFound

# For queries about people: who may see what is decided where they are read.
__all__ = ["is_member", "plan_of_member"]

# Heard by whoever remembers what a person may see (profiles).
TOPIC = "membership:"


class PlanNotFound(NotFound):
    """There is no such plan."""


class PlanTaken(Conflict):
    """Another plan has this name."""


class PlanInUse(Conflict):
    """Somebody has or had this plan: offer it no longer instead (`is_offered`)."""


class UserNotFound(NotFound):
    """There is no such person."""

    slug: ClassVar[str] = "person-unknown"


class MembershipNotFound(NotFound):
    """There is no such membership."""


class AlreadyMember(Conflict):
    """This person has a membership; change it."""

    slug: ClassVar[str] = "member-already"


class CurrencyDiffers(Conflict):
    """A member's invoices have one currency; this plan has another."""


class InvalidDateRange(InvalidInput):
    """A membership ends after it began."""

    slug: ClassVar[str] = "dates-reversed"


class MembershipRequired(Forbidden):
    """You need a membership to watch."""

    slug: ClassVar[str] = "membership-needed"


class MembershipNotStarted(MembershipRequired):
    """Your membership has not begun yet."""


class MembershipExpired(MembershipRequired):
    """Your membership is over."""


class MembershipCancelled(MembershipRequired):
    """Your membership was cancelled."""


MEMBERSHIP_PROBLEMS: dict[MembershipStatus, type[MembershipRequired]] = {
    MembershipStatus.FUTURE: MembershipNotStarted,
    MembershipStatus.EXPIRED: MembershipExpired,
    MembershipStatus.CANCELLED: MembershipCancelled,
}


class TermDates(NamedTuple):
    """What was agreed before a change: when it began, and since when it is over."""

    starts_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, membership: Membership, now: datetime) -> Self:
        is_over = status_of(membership, now) is MembershipStatus.EXPIRED
        return cls(membership.starts_at, membership.ends_at if is_over else None)


class Memberships:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.accounts = Accounts(session)
        self.plans = PlanRepository(session=session)
        self.memberships = MembershipRepository(session=session)
        self.terms = MembershipTermRepository(session=session)

    async def add_plan(self, new: PlanCreate) -> Plan:
        """Raises PlanTaken."""
        plan = Plan(**{**msgspec.structs.asdict(new), "currency": new.currency.value})
        try:
            async with self.session.begin_nested():
                self.session.add(plan)
        except SQLAlchemyError as error:
            if violated(error) != "uq_plan_name":
                raise
            raise PlanTaken from error
        return plan

    async def change_plan(self, plan_id: int, change: PlanUpdate) -> Plan:
        """Raises PlanNotFound or PlanTaken."""
        plan = await self.plan(plan_id)
        try:
            async with self.session.begin_nested():
                for name, value in msgspec.structs.asdict(change).items():
                    if value is not msgspec.UNSET:
                        setattr(plan, name, value)
        except SQLAlchemyError as error:
            if violated(error) != "uq_plan_name":
                raise
            raise PlanTaken from error
        return plan

    async def remove_plan(self, plan_id: int) -> None:
        """Take back a plan nobody ever had. Raises PlanNotFound or PlanInUse."""
        plan = await self.plan(plan_id)
        try:
            async with self.session.begin_nested():
                await self.session.delete(plan)
        except SQLAlchemyError as error:
            if not (violated(error) or "").startswith("fk_"):
                raise
            raise PlanInUse from error

    async def plan(self, plan_id: int) -> Plan:
        """Raises PlanNotFound."""
        plan = await self.plans.get_one_or_none(id=plan_id)
        if plan is None:
            raise PlanNotFound
        return plan

    async def add(self, new: MembershipCreate) -> MembershipRead:
        """Raises UserNotFound, PlanNotFound, AlreadyMember or InvalidDateRange."""
        plan = await self.plan(new.plan_id)
        if not await self.accounts.users.exists(id=new.user_id):
            raise UserNotFound
        membership = Membership(
            user_id=new.user_id,
            plan_id=plan.id,
            starts_at=new.starts_at or await transaction_time(self.session),
            ends_at=new.ends_at,
            streams_override=new.streams_override,
        )
        await self._write(membership)
        await self._begin_term(membership, membership.starts_at)
        return await self.read(membership, plan)

    async def change(self, membership_id: int, change: MembershipUpdate) -> MembershipRead:
        """Raises MembershipNotFound, PlanNotFound or InvalidDateRange."""
        membership, plan = await self._found(membership_id)
        now = await transaction_time(self.session)
        before = TermDates.of(membership, now)
        if change.plan_id is not msgspec.UNSET:
            former, plan = plan, await self.plan(change.plan_id)
            if former.currency != plan.currency:
                raise CurrencyDiffers
        fields = msgspec.structs.asdict(change)
        cancelled = fields.pop("cancelled")
        for name, value in fields.items():
            if value is not msgspec.UNSET:
                setattr(membership, name, value)
        if cancelled is not msgspec.UNSET:
            membership.cancelled_at = (membership.cancelled_at or now) if cancelled else None
        await self._write(membership)
        await self._keep_terms(before, membership, now)
        return await self.read(membership, plan)

    async def cancel(self, membership_id: int) -> MembershipRead:
        """End what a person may watch now, running streams included. Raises MembershipNotFound."""
        membership, plan = await self._found(membership_id)
        now = await transaction_time(self.session)
        before = TermDates.of(membership, now)
        membership.cancelled_at = membership.cancelled_at or now
        await self._write(membership)
        await self._keep_terms(before, membership, now)
        return await self.read(membership, plan)

    async def remove(self, membership_id: int) -> None:
        """As if it had never been given. Raises MembershipNotFound."""
        membership, _ = await self._found(membership_id)
        await self.memberships.delete(membership_id)
        await publish(self.session, f"{TOPIC}{membership.user_id}")

    async def page(
        self, page: LimitOffset, *, user_id: int | None = None, plan_id: int | None = None
    ) -> tuple[list[MembershipAdminRead], int]:
        """Memberships, the newest first, and how many there are."""
        found, total = await self.memberships.page(page, user_id=user_id, plan_id=plan_id)
        listed = []
        for membership, plan, owner in found:
            shown = await self.read(membership, plan)
            listed.append(MembershipAdminRead(**msgspec.structs.asdict(shown), owner=owner))
        return listed, total

    async def for_user(self, user_id: int) -> MembershipRead | None:
        """A person's membership, if they ever had one."""
        found = await self.memberships.for_user(user_id)
        return None if found is None else await self.read(*found)

    async def streams_allowed(self, user_id: int) -> tuple[int, int] | None:
        """How many streams a person may have at once, and by which plan; None without a limit.

        Locks the person until the transaction ends: two streams that begin at once are
        counted one after the other. Raises MembershipRequired, or a more telling kind of it.
        """
        await self.accounts.users.lock(user_id)
        found = await self._active(user_id)
        if found is None:
            return None
        membership, plan = found
        return membership.streams_override or plan.streams, plan.id

    async def allowed_until(self, user_id: int) -> datetime | None:
        """Until when a person's membership lets them watch; None without an end.

        Raises MembershipRequired, or a more telling kind of it.
        """
        found = await self._active(user_id)
        return found[0].ends_at if found else None

    async def profiles_allowed(self, user_id: int) -> int | None:
        """How many profiles a person's plan has; None without a running membership."""
        found = await self.memberships.for_user(user_id)
        if found is None:
            return None
        membership, plan = found
        standing = status_of(membership, await transaction_time(self.session))
        return plan.profiles if standing is MembershipStatus.ACTIVE else None

    async def read(self, membership: Membership, plan: Plan) -> MembershipRead:
        now: datetime = await transaction_time(self.session)
        return MembershipRead(
            id=membership.id,
            user_id=membership.user_id,
            plan=PlanRead.of(plan),
            standing=status_of(membership, now),
            starts_at=membership.starts_at,
            ends_at=membership.ends_at,
            cancelled_at=membership.cancelled_at,
            streams=membership.streams_override or plan.streams,
            streams_override=membership.streams_override,
        )

    async def _active(self, user_id: int) -> tuple[Membership, Plan] | None:
        """A person's running membership; None where there are no plans.

        Raises MembershipRequired, or a more telling kind of it.
        """
        found = await self.memberships.for_user(user_id)
        if found is None:
            if await self.plans.any():
                raise MembershipRequired
            return None
        standing = status_of(found[0], await transaction_time(self.session))
        if standing is not MembershipStatus.ACTIVE:
            raise MEMBERSHIP_PROBLEMS[standing]
        return found

    async def _keep_terms(self, before: TermDates, membership: Membership, now: datetime) -> None:
        """Write down since when which plan holds, after a membership was changed."""
        term = await self.terms.open(membership.id)
        begin = max(now, membership.starts_at)
        if membership.cancelled_at is not None:
            if term is not None:
                term.until_at = now
        elif term is None:
            await self._begin_term(membership, begin)
        elif (
            before.ended_at is not None
            and status_of(membership, now) is not MembershipStatus.EXPIRED
        ):
            term.until_at = before.ended_at
            await self._begin_term(membership, begin)
        else:
            if term.from_at == before.starts_at:
                term.from_at = membership.starts_at
            if term.from_at > now:
                term.plan_id = membership.plan_id
            elif term.plan_id != membership.plan_id:
                term.until_at = now
                await self._begin_term(membership, begin)

    async def _begin_term(self, membership: Membership, begin: datetime) -> None:
        await self.terms.add(
            MembershipTerm(membership_id=membership.id, plan_id=membership.plan_id, from_at=begin)
        )

    async def _found(self, membership_id: int) -> tuple[Membership, Plan]:
        found = await self.memberships.with_plan(membership_id)
        if found is None:
            raise MembershipNotFound
        return found

    async def _write(self, membership: Membership) -> None:
        if membership.ends_at is not None and membership.ends_at <= membership.starts_at:
            raise InvalidDateRange
        try:
            async with self.session.begin_nested():
                self.session.add(membership)
        except SQLAlchemyError as error:
            if violated(error) != "uq_membership_user_id":
                raise
            raise AlreadyMember from error
        await publish(self.session, f"{TOPIC}{membership.user_id}")
