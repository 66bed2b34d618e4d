"""Categories."""

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import String, cast, delete, exists, func, or_, select, text

from videoflix.catalog.models import Category, video_category

# A video may be in both categories already.
MOVE = text("""
insert into video_category (video_id, category_id, shown_at)
select video_id, :there, shown_at from video_category where category_id = :here
on conflict do nothing
""")


class CategoryRepository(SQLAlchemyAsyncRepository[Category]):
    """Categories."""

    model_type = Category

    async def all(self) -> list[Category]:
        found = await self.session.scalars(
            select(Category).order_by(Category.position, Category.id)
        )
        return list(found)

    async def by_id_or_slug(self, named: str) -> Category | None:
        """Find a category by id or slug."""
        return await self.get_one_or_none(
            or_(Category.slug == named, cast(Category.id, String) == named)
        )

    async def next_position(self) -> int:
        return (await self.session.scalar(select(func.max(Category.position))) or 0) + 1

    async def is_used(self, category_id: int) -> bool:
        in_use = exists().where(video_category.c.category_id == category_id)
        return bool(await self.session.scalar(select(in_use)))

    async def has_picture(self, key: str) -> bool:
        """Whether a category uses the picture with this storage key."""
        return await self.exists(Category.picture == key)

    async def move_videos(self, here: int, there: int) -> None:
        """Move all videos from category `here` to category `there`."""
        await self.session.execute(MOVE, {"here": here, "there": there})
        await self.session.execute(
            delete(video_category).where(video_category.c.category_id == here)
        )
