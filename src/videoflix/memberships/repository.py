"""All SQL of plans and memberships."""

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import ColumnElement, Subquery, and_, exists, func, or_, select

from videoflix.accounts.models import User
from videoflix.memberships.models import Membership, MembershipTerm, Plan


class PlanRepository(SQLAlchemyAsyncRepository[Plan]):
    """Plans, the cheapest first."""

    model_type = Plan

    async def list_all(self, *, offered_only: bool) -> list[Plan]:
        statement = select(Plan).order_by(Plan.price, Plan.id)
        if offered_only:
            statement = statement.where(Plan.is_offered.is_(True))
        return list(await self.session.scalars(statement))

    async def any(self) -> bool:
        """Whether this installation has plans at all."""
        return bool(await self.session.scalar(select(exists(select(Plan.id)))))


class MembershipRepository(SQLAlchemyAsyncRepository[Membership]):
    """Memberships with their plans."""

    model_type = Membership

    async def for_user(self, user_id: int) -> tuple[Membership, Plan] | None:
        """A person's membership as it is now, whatever this session has seen before."""
        statement = (
            select(Membership, Plan)
            .join(Plan, Plan.id == Membership.plan_id)
            .where(Membership.user_id == user_id)
            .execution_options(populate_existing=True)
        )
        row = (await self.session.execute(statement)).one_or_none()
        return None if row is None else (row[0], row[1])

    async def page(
        self, page: LimitOffset, *, user_id: int | None, plan_id: int | None
    ) -> tuple[list[tuple[Membership, Plan, str]], int]:
        """Memberships with plan and owner's address, the newest first; and how many there are."""
        wanted: list[ColumnElement[bool]] = []
        if user_id is not None:
            wanted.append(Membership.user_id == user_id)
        if plan_id is not None:
            wanted.append(Membership.plan_id == plan_id)
        rows = await self.session.execute(
            select(Membership, Plan, User.email)
            .join(Plan, Plan.id == Membership.plan_id)
            .join(User, User.id == Membership.user_id)
            .where(*wanted)
            .order_by(Membership.id.desc())
            .limit(page.limit)
            .offset(page.offset)
        )
        return [(row[0], row[1], row[2]) for row in rows], await self.count(*wanted)

    async def with_plan(self, membership_id: int) -> tuple[Membership, Plan] | None:
        """A membership that is about to change: nobody else changes it meanwhile."""
        row = (
            await self.session.execute(
                select(Membership, Plan)
                .join(Plan, Plan.id == Membership.plan_id)
                .where(Membership.id == membership_id)
                .with_for_update(of=Membership)
                .execution_options(populate_existing=True)
            )
        ).one_or_none()
        return None if row is None else (row[0], row[1])


class MembershipTermRepository(SQLAlchemyAsyncRepository[MembershipTerm]):
    """Terms of memberships; the last one of each is open while it has no end."""

    model_type = MembershipTerm

    async def open(self, membership_id: int) -> MembershipTerm | None:
        found: MembershipTerm | None = await self.session.scalar(
            select(MembershipTerm).where(
                MembershipTerm.membership_id == membership_id, MembershipTerm.until_at.is_(None)
            )
        )
        return found


def plan_of_member() -> Subquery:
    """What the running membership of the User of a query allows: a subquery to be joined."""
    return (
        select(Membership.user_id, Plan.max_height)
        .join(Plan, Plan.id == Membership.plan_id)
        .where(*_running())
        .subquery("plan_of_member")
    )


def is_member() -> ColumnElement[bool]:
    """Whether the User of a query is a member now: by a membership that is running or, where there
    are no plans, by having an account of their own.
    """
    running = exists(select(Membership.id).where(Membership.user_id == User.id, *_running()))
    without_plans = and_(~exists(select(Plan.id)), User.is_guest.is_(False))
    return or_(running, without_plans)


def _running() -> list[ColumnElement[bool]]:
    return [
        Membership.cancelled_at.is_(None),
        Membership.starts_at <= func.now(),
        or_(Membership.ends_at.is_(None), Membership.ends_at > func.now()),
    ]
