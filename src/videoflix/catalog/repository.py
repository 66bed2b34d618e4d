"""All SQL of the catalogue."""

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import ColumnElement, func, select, true

from videoflix.catalog.models import Video
from videoflix.platform.identity import Identity, Role


def visible_to(viewer: Identity) -> ColumnElement[bool]:
    """The one rule of who sees which film: editors all, viewers what plays."""
    return true() if viewer.may(Role.EDITOR) else Video.playable.is_(True)


class VideoRepository(SQLAlchemyAsyncRepository[Video]):
    """Films, and who sees them."""

    model_type = Video

    async def newest(self, viewer: Identity, page: LimitOffset) -> tuple[list[Video], int]:
        """The films this person sees, newest first, and how many there are."""
        return await self.get_many_and_count(
            visible_to(viewer), page, order_by=[("created_at", True), ("id", True)]
        )

    async def seen_by(self, viewer: Identity, video_id: int) -> Video | None:
        return await self.get_one_or_none(Video.id == video_id, visible_to(viewer))

    async def locked(self, video_id: int) -> Video | None:
        """The row, held against other writers until the transaction ends."""
        found: Video | None = await self.session.scalar(
            select(Video)
            .where(Video.id == video_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return found

    async def count_by_state(self) -> dict[str, int]:
        rows = await self.session.execute(select(Video.state, func.count()).group_by(Video.state))
        return {state.value: count for state, count in rows}
