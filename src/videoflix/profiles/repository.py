"""Queries on profiles."""

from collections.abc import Sequence

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import func, literal, select, text
from sqlalchemy.dialects.postgresql import insert

from videoflix.accounts.models import User
from videoflix.memberships.service import is_member, plan_of_member
from videoflix.profiles.models import Profile


class ProfileRepository(SQLAlchemyAsyncRepository[Profile]):
    """Profiles, the default profile first."""

    model_type = Profile

    async def for_user(self, user_id: int) -> list[Profile]:
        found = await self.session.scalars(
            select(Profile)
            .where(Profile.user_id == user_id)
            .order_by(Profile.is_first.desc(), Profile.id)
        )
        return list(found)

    async def owner_and_profile(
        self, user_id: int, profile_id: int | None
    ) -> tuple[User, Profile | None, bool, int | None] | None:
        """Return an active user, the profile (or default profile) if any, membership and height."""
        wanted = Profile.is_first if profile_id is None else Profile.id == profile_id
        plan = plan_of_member()
        row = (
            await self.session.execute(
                select(User, Profile, is_member(), plan.c.max_height)
                .outerjoin(plan, plan.c.user_id == User.id)
                .outerjoin(Profile, (Profile.user_id == User.id) & wanted)
                .where(User.id == user_id, User.is_active.is_(True))
            )
        ).one_or_none()
        return None if row is None else (row[0], row[1], row[2], row[3])

    async def first_of(self, user_id: int, name: str, language: str) -> Profile:
        """Return the default profile, creating it if missing; safe against races."""
        await self.session.execute(
            insert(Profile)
            .values(
                user_id=user_id,
                name=name,
                avatar="",
                language=language,
                is_first=True,
                created_at=func.now(),
                updated_at=func.now(),
            )
            .on_conflict_do_nothing()
        )
        return await self.get_one(Profile.user_id == user_id, Profile.is_first.is_(True))

    async def first_of_many(self, user_ids: Sequence[int], name: str) -> dict[int, int]:
        """Return the default profile of each account, creating missing ones.

        They are named by the first name, or `name` if it is empty.
        """
        first_name = func.coalesce(func.nullif(func.trim(func.left(User.first_name, 50)), ""), name)
        columns = ["user_id", "name", "avatar", "language", "is_first", "created_at", "updated_at"]
        made = select(
            User.id, first_name, literal(""), User.language, literal(True), func.now(), func.now()
        ).where(User.id.in_(user_ids))
        await self.session.execute(
            insert(Profile).from_select(columns, made).on_conflict_do_nothing()
        )
        rows = await self.session.execute(
            select(Profile.user_id, Profile.id).where(
                Profile.user_id.in_(user_ids), Profile.is_first.is_(True)
            )
        )
        return {row[0]: row[1] for row in rows}

    async def lock_account(self, user_id: int) -> None:
        """Lock the account to serialize changes of its profiles, whose number is limited."""
        await self.session.execute(
            text("select 1 from user_account where id = :id for no key update"), {"id": user_id}
        )
