"""Plans, and who has which."""

from datetime import datetime

import msgspec
from advanced_alchemy.filters import LimitOffset
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.service import Accounts
from videoflix.memberships.models import Membership, Plan
from videoflix.memberships.repository import (
    MembershipRepository,
    PlanRepository,
    is_member,
    plan_of_member,
)
from videoflix.memberships.schemas import (
    MembershipChange,
    MembershipShown,
    NewMembership,
    NewPlan,
    PlanChange,
    PlanShown,
    Standing,
    standing_of,
)
from videoflix.platform.db import violated
from videoflix.platform.events import announce
from videoflix.platform.problems import Conflict, Forbidden, InvalidInput, NotFound

# For queries about people: who may see what is decided where they are read.
__all__ = ["is_member", "plan_of_member"]

# Heard by whoever remembers what a person may see (profiles).
TOPIC = "membership:"


class PlanNotFound(NotFound):
    """There is no such plan."""


class PlanTaken(Conflict):
    """Another plan has this name."""


class PersonUnknown(NotFound):
    """There is no such person."""


class MembershipNotFound(NotFound):
    """There is no such membership."""


class MemberAlready(Conflict):
    """This person has a membership; change it."""


class CurrencyDiffers(Conflict):
    """A member's invoices have one currency; this plan has another."""


class DatesReversed(InvalidInput):
    """A membership ends after it began."""


class MembershipNeeded(Forbidden):
    """Watching takes a membership."""


class MembershipNotStarted(MembershipNeeded):
    """Your membership has not begun yet."""


class MembershipExpired(MembershipNeeded):
    """Your membership is over."""


class MembershipCancelled(MembershipNeeded):
    """Your membership was cancelled."""


REFUSALS: dict[Standing, type[MembershipNeeded]] = {
    Standing.FUTURE: MembershipNotStarted,
    Standing.EXPIRED: MembershipExpired,
    Standing.CANCELLED: MembershipCancelled,
}


class Memberships:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.accounts = Accounts(session)
        self.plans = PlanRepository(session=session)
        self.memberships = MembershipRepository(session=session)

    async def add_plan(self, new: NewPlan) -> Plan:
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

    async def change_plan(self, plan_id: int, change: PlanChange) -> Plan:
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

    async def plan(self, plan_id: int) -> Plan:
        """Raises PlanNotFound."""
        plan = await self.plans.get_one_or_none(id=plan_id)
        if plan is None:
            raise PlanNotFound
        return plan

    async def add(self, new: NewMembership) -> MembershipShown:
        """Raises PersonUnknown, PlanNotFound, MemberAlready or DatesReversed."""
        plan = await self.plan(new.plan_id)
        if not await self.accounts.users.exists(id=new.user_id):
            raise PersonUnknown
        membership = Membership(
            user_id=new.user_id,
            plan_id=plan.id,
            starts_at=new.starts_at or await self.memberships.database_time(),
            ends_at=new.ends_at,
            streams_override=new.streams_override,
        )
        await self._write(membership)
        return await self.shown(membership, plan)

    async def change(self, membership_id: int, change: MembershipChange) -> MembershipShown:
        """Raises MembershipNotFound, PlanNotFound or DatesReversed."""
        membership, plan = await self._found(membership_id)
        if change.plan_id is not msgspec.UNSET:
            before, plan = plan, await self.plan(change.plan_id)
            if before.currency != plan.currency:
                raise CurrencyDiffers
        fields = msgspec.structs.asdict(change)
        cancelled = fields.pop("cancelled")
        for name, value in fields.items():
            if value is not msgspec.UNSET:
                setattr(membership, name, value)
        if cancelled is not msgspec.UNSET:
            now = await self.memberships.database_time()
            membership.cancelled_at = now if cancelled else None
        await self._write(membership)
        return await self.shown(membership, plan)

    async def cancel(self, membership_id: int) -> MembershipShown:
        """No new streams from now on. Raises MembershipNotFound."""
        membership, plan = await self._found(membership_id)
        if membership.cancelled_at is None:
            membership.cancelled_at = await self.memberships.database_time()
        await self._write(membership)
        return await self.shown(membership, plan)

    async def page(self, page: LimitOffset) -> tuple[list[MembershipShown], int]:
        """Memberships, the newest first, and how many there are."""
        found, total = await self.memberships.page(page)
        return [await self.shown(membership, plan) for membership, plan in found], total

    async def of(self, user_id: int) -> MembershipShown | None:
        """A person's membership, if they ever had one."""
        found = await self.memberships.of(user_id)
        return None if found is None else await self.shown(*found)

    async def streams_allowed(self, user_id: int) -> tuple[int, int] | None:
        """How many streams a person may have at once, and by which plan; None without a limit.

        Locks the membership until the transaction ends: two streams that begin at once are
        counted one after the other. Raises MembershipNeeded, or a more telling kind of it.
        """
        found = await self.memberships.of(user_id, lock=True)
        if found is None:
            if await self.plans.any():
                raise MembershipNeeded
            return None
        membership, plan = found
        standing = standing_of(membership, await self.memberships.database_time())
        if standing is not Standing.ACTIVE:
            raise REFUSALS[standing]
        return membership.streams_override or plan.streams, plan.id

    async def profiles_allowed(self, user_id: int) -> int | None:
        """How many profiles a person's plan has; None without a running membership."""
        found = await self.memberships.of(user_id)
        if found is None:
            return None
        membership, plan = found
        standing = standing_of(membership, await self.memberships.database_time())
        return plan.profiles if standing is Standing.ACTIVE else None

    async def shown(self, membership: Membership, plan: Plan) -> MembershipShown:
        now: datetime = await self.memberships.database_time()
        return MembershipShown(
            id=membership.id,
            user_id=membership.user_id,
            plan=PlanShown.of(plan),
            standing=standing_of(membership, now),
            starts_at=membership.starts_at,
            ends_at=membership.ends_at,
            cancelled_at=membership.cancelled_at,
            streams=membership.streams_override or plan.streams,
            streams_override=membership.streams_override,
        )

    async def _found(self, membership_id: int) -> tuple[Membership, Plan]:
        found = await self.memberships.with_plan(membership_id)
        if found is None:
            raise MembershipNotFound
        return found

    async def _write(self, membership: Membership) -> None:
        if membership.ends_at is not None and membership.ends_at <= membership.starts_at:
            raise DatesReversed
        try:
            async with self.session.begin_nested():
                self.session.add(membership)
        except SQLAlchemyError as error:
            if violated(error) != "uq_membership_user_id":
                raise
            raise MemberAlready from error
        await announce(self.session, f"{TOPIC}{membership.user_id}")
