"""Use cases of plans and memberships."""

from datetime import datetime
from typing import ClassVar

import msgspec
from advanced_alchemy.filters import LimitOffset
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.service import Accounts
from videoflix.memberships.events import MembershipCreated, MembershipEnded, change_of
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
    TermDates,
    status_of,
)
from videoflix.platform.events import emit
from videoflix.platform.postgres.notify import publish
from videoflix.platform.postgres.session import transaction_time, violated
from videoflix.platform.problems import Conflict, Forbidden, InvalidInput, NotFound

# Re-exported for queries on users in other packages.
__all__ = ["is_member", "plan_of_member"]

# NOTIFY topic; invalidates the viewer cache (profiles).
TOPIC = "membership:"


class PlanNotFound(NotFound):
    """The plan doesn't exist."""


class PlanTaken(Conflict):
    """Another plan has this name."""


class PlanInUse(Conflict):
    """Plans that have had members can't be deleted. Stop offering them instead (`is_offered`)."""


class UserNotFound(NotFound):
    """The user doesn't exist."""

    slug: ClassVar[str] = "person-unknown"


class MembershipNotFound(NotFound):
    """The membership doesn't exist."""


class AlreadyMember(Conflict):
    """This user already has a membership: change it instead."""

    slug: ClassVar[str] = "member-already"


class CurrencyDiffers(Conflict):
    """The plan's currency differs from that of the member's invoices."""


class InvalidDateRange(InvalidInput):
    """`ends_at` must be after `starts_at`."""

    slug: ClassVar[str] = "dates-reversed"


class MembershipRequired(Forbidden):
    """You need a membership to watch."""

    slug: ClassVar[str] = "membership-needed"


class MembershipNotStarted(MembershipRequired):
    """Your membership hasn't started yet."""


class MembershipExpired(MembershipRequired):
    """Your membership has expired."""


class MembershipCancelled(MembershipRequired):
    """Your membership was cancelled."""


MEMBERSHIP_PROBLEMS: dict[MembershipStatus, type[MembershipRequired]] = {
    MembershipStatus.FUTURE: MembershipNotStarted,
    MembershipStatus.EXPIRED: MembershipExpired,
    MembershipStatus.CANCELLED: MembershipCancelled,
}


class Memberships:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.accounts = Accounts(session)
        self.plans = PlanRepository(session=session)
        self.memberships = MembershipRepository(session=session)
        self.terms = MembershipTermRepository(session=session)

    async def add_plan(self, new: PlanCreate) -> Plan:
        """Add a plan. Raises PlanTaken."""
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
        """Update a plan. Raises PlanNotFound or PlanTaken."""
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
        """Delete a plan that never had members. Raises PlanNotFound or PlanInUse."""
        plan = await self.plan(plan_id)
        try:
            async with self.session.begin_nested():
                await self.session.delete(plan)
        except SQLAlchemyError as error:
            if not (violated(error) or "").startswith("fk_"):
                raise
            raise PlanInUse from error

    async def plan(self, plan_id: int) -> Plan:
        """Get a plan. Raises PlanNotFound."""
        plan = await self.plans.get_one_or_none(id=plan_id)
        if plan is None:
            raise PlanNotFound
        return plan

    async def add(self, new: MembershipCreate) -> MembershipRead:
        """Add a membership.

        Raises UserNotFound, PlanNotFound, AlreadyMember or InvalidDateRange.
        """
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
        await emit(self.session, MembershipCreated.of(membership))
        return await self.read(membership, plan)

    async def change(self, membership_id: int, change: MembershipUpdate) -> MembershipRead:
        """Update a membership.

        Raises MembershipNotFound, PlanNotFound, CurrencyDiffers or InvalidDateRange.
        """
        membership, plan = await self._found(membership_id)
        now = await transaction_time(self.session)
        before = TermDates.of(membership, now)
        if change.plan_id is not msgspec.UNSET:
            previous, plan = plan, await self.plan(change.plan_id)
            if previous.currency != plan.currency:
                raise CurrencyDiffers
        fields = msgspec.structs.asdict(change)
        cancelled = fields.pop("cancelled")
        for name, value in fields.items():
            if value is not msgspec.UNSET:
                setattr(membership, name, value)
        if cancelled is not msgspec.UNSET:
            membership.cancelled_at = (membership.cancelled_at or now) if cancelled else None
        await self._changed(before, membership, now)
        return await self.read(membership, plan)

    async def cancel(self, membership_id: int) -> MembershipRead:
        """Cancel a membership immediately, ending running streams. Raises MembershipNotFound."""
        membership, plan = await self._found(membership_id)
        now = await transaction_time(self.session)
        before = TermDates.of(membership, now)
        membership.cancelled_at = membership.cancelled_at or now
        await self._changed(before, membership, now)
        return await self.read(membership, plan)

    async def remove(self, membership_id: int) -> None:
        """Delete a membership and its terms. Raises MembershipNotFound."""
        membership, _ = await self._found(membership_id)
        await self.memberships.delete(membership_id)
        await publish(self.session, f"{TOPIC}{membership.user_id}")
        await emit(self.session, MembershipEnded.of(membership))

    async def page(
        self, page: LimitOffset, *, user_id: int | None = None, plan_id: int | None = None
    ) -> tuple[list[MembershipAdminRead], int]:
        """List memberships, newest first, with the total."""
        found, total = await self.memberships.page(page, user_id=user_id, plan_id=plan_id)
        listed = []
        for membership, plan, owner in found:
            shown = await self.read(membership, plan)
            listed.append(MembershipAdminRead(**msgspec.structs.asdict(shown), owner=owner))
        return listed, total

    async def for_user(self, user_id: int) -> MembershipRead | None:
        """A user's membership in any status, if there is one."""
        found = await self.memberships.for_user(user_id)
        return None if found is None else await self.read(*found)

    async def streams_allowed(self, user_id: int) -> tuple[int, int] | None:
        """A user's limit of concurrent streams, and the plan's id; None without a limit.

        Locks the user's row until the transaction ends, so that concurrent starts are serialized.
        Raises MembershipRequired or a subclass.
        """
        await self.accounts.users.lock(user_id)
        found = await self._active(user_id)
        if found is None:
            return None
        membership, plan = found
        return membership.streams_override or plan.streams, plan.id

    async def allowed_until(self, user_id: int) -> datetime | None:
        """When a user's membership ends; None without an end.

        Raises MembershipRequired or a subclass.
        """
        found = await self._active(user_id)
        return found[0].ends_at if found else None

    async def profiles_allowed(self, user_id: int) -> int | None:
        """The number of profiles in a user's plan; None without an active membership."""
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
        """A user's active membership; None if there are no plans.

        Raises MembershipRequired or a subclass.
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

    async def _changed(self, before: TermDates, membership: Membership, now: datetime) -> None:
        await self._write(membership)
        await self._keep_terms(before, membership, now)
        await emit(self.session, change_of(membership, was_cancelled=before.was_cancelled))

    async def _keep_terms(self, before: TermDates, membership: Membership, now: datetime) -> None:
        """Update the terms after a change of the membership."""
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
