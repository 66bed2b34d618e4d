"""SQL of plans and memberships."""

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import ColumnElement, Subquery, and_, exists, func, or_, select

from videoflix.accounts.models import User
from videoflix.memberships.models import Membership, MembershipTerm, Plan


class PlanRepository(SQLAlchemyAsyncRepository[Plan]):
    """Plans; lists are ordered from the cheapest."""

    model_type = Plan

    async def list_all(self, *, offered_only: bool) -> list[Plan]:
        statement = select(Plan).order_by(Plan.price, Plan.id)
        if offered_only:
            statement = statement.where(Plan.is_offered.is_(True))
        return list(await self.session.scalars(statement))

    async def any(self) -> bool:
        """Whether there are any plans."""
        return bool(await self.session.scalar(select(exists(select(Plan.id)))))


class MembershipRepository(SQLAlchemyAsyncRepository[Membership]):
    """Memberships with their plans."""

    model_type = Membership

    async def for_user(self, user_id: int) -> tuple[Membership, Plan] | None:
        """A user's membership with its plan, refreshed from the database."""
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
        """List memberships with plan and owner's e-mail address, newest first, with the total."""
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
        """Lock a membership; return it with its plan."""
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
    """Terms of memberships; a membership has at most one open term."""

    model_type = MembershipTerm

    async def open(self, membership_id: int) -> MembershipTerm | None:
        found: MembershipTerm | None = await self.session.scalar(
            select(MembershipTerm).where(
                MembershipTerm.membership_id == membership_id, MembershipTerm.until_at.is_(None)
            )
        )
        return found


def plan_of_member() -> Subquery:
    """Subquery of user id and `max_height` of active memberships."""
    return (
        select(Membership.user_id, Plan.max_height)
        .join(Plan, Plan.id == Membership.plan_id)
        .where(*_running())
        .subquery("plan_of_member")
    )


def is_member() -> ColumnElement[bool]:
    """Condition: the User of a query has an active membership or, if there are no plans, is not a
    guest.
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
