"""SQL of watchlists, playback positions, votes and views."""

from collections.abc import Sequence
from datetime import date, datetime

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import (
    ColumnElement,
    Float,
    and_,
    case,
    cast,
    delete,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.catalog.models import Video
from videoflix.library.models import Vote, WatchlistEntry, WatchState, video_view
from videoflix.profiles.models import Profile

FINISHED_SHARE = 0.95

ROLL_UP = text("""
with counted as (
    select video_id, count(*) as views from video_view
    where seen_on > current_date - 30 group by video_id
)
update video set popularity = coalesce(counted.views, 0)
from video as old left join counted on counted.video_id = old.id
where video.id = old.id and old.popularity <> coalesce(counted.views, 0)
returning video.id
""")
# Rows in the default partition must be moved first, or attaching the month's partition would fail.
MAKE_PARTITION = """
do $$ begin
    if to_regclass('video_view_{name}') is null then
        create table video_view_{name} (like video_view including all);
        with moved as (delete from video_view_other
                       where seen_on >= '{begin}' and seen_on < '{end}' returning *)
        insert into video_view_{name} select * from moved;
        alter table video_view attach partition video_view_{name}
            for values from ('{begin}') to ('{end}');
    end if;
end $$
"""


class WatchlistRepository(SQLAlchemyAsyncRepository[WatchlistEntry]):
    """Watchlist entries."""

    model_type = WatchlistEntry

    async def for_profile(self, profile_id: int, limit: int, offset: int) -> list[WatchlistEntry]:
        found = await self.session.scalars(
            select(WatchlistEntry)
            .where(WatchlistEntry.profile_id == profile_id)
            .order_by(WatchlistEntry.position, WatchlistEntry.id)
            .limit(limit)
            .offset(offset)
        )
        return list(found)

    async def add_first(self, profile_id: int, video_id: int) -> bool:
        """Insert a video at the top; False if it is already on the list."""
        first = (
            select(func.coalesce(func.min(WatchlistEntry.position), 0.0) - 1)
            .where(WatchlistEntry.profile_id == profile_id)
            .scalar_subquery()
        )
        added = await self.session.scalar(
            insert(WatchlistEntry)
            .values(
                profile_id=profile_id,
                video_id=video_id,
                position=first,
                created_at=func.now(),
                updated_at=func.now(),
            )
            .on_conflict_do_nothing()
            .returning(WatchlistEntry.id)
        )
        return added is not None

    async def remove(self, profile_id: int, video_id: int) -> bool:
        gone = await self.session.scalar(
            delete(WatchlistEntry)
            .where(WatchlistEntry.profile_id == profile_id, WatchlistEntry.video_id == video_id)
            .returning(WatchlistEntry.id)
        )
        return gone is not None

    async def contained(self, profile_id: int, video_ids: Sequence[int]) -> list[int]:
        found = await self.session.scalars(
            select(WatchlistEntry.video_id)
            .where(WatchlistEntry.profile_id == profile_id, WatchlistEntry.video_id.in_(video_ids))
            .order_by(WatchlistEntry.video_id)
        )
        return list(found)

    async def locked(self, profile_id: int) -> list[WatchlistEntry]:
        """Lock the whole list, so that concurrent moves cannot mix up positions."""
        found = await self.session.scalars(
            select(WatchlistEntry)
            .where(WatchlistEntry.profile_id == profile_id)
            .order_by(WatchlistEntry.position, WatchlistEntry.id)
            .with_for_update()
        )
        return list(found)


class WatchStateRepository(SQLAlchemyAsyncRepository[WatchState]):
    """Playback positions."""

    model_type = WatchState

    async def upsert_position(
        self, profile_id: int, video_id: int, seconds: float, client_at: datetime
    ) -> bool:
        """Upsert a position unless a later one is stored; False if it was discarded.

        A client's time in the future is replaced by now, or it would block later updates.
        """
        length = func.coalesce(Video.duration, cast(seconds, Float))
        at = func.least(cast(seconds, Float), length)
        update = insert(WatchState).from_select(
            [
                "profile_id",
                "video_id",
                "seconds",
                "finished",
                "client_at",
                "created_at",
                "updated_at",
            ],
            select(
                literal(profile_id),
                Video.id,
                at,
                case((Video.duration > 0, at >= Video.duration * FINISHED_SHARE), else_=False),
                func.least(literal(client_at), func.now()),
                func.now(),
                func.now(),
            ).where(Video.id == video_id),
        )
        updated_id = await self.session.scalar(
            update.on_conflict_do_update(
                index_elements=["profile_id", "video_id"],
                set_={
                    "seconds": update.excluded.seconds,
                    "finished": update.excluded.finished,
                    "client_at": update.excluded.client_at,
                    "updated_at": func.now(),
                },
                where=WatchState.client_at <= update.excluded.client_at,
            ).returning(WatchState.id)
        )
        return updated_id is not None

    async def for_profile(self, profile_id: int, *, limit: int, offset: int) -> list[WatchState]:
        found = await self.session.scalars(
            select(WatchState)
            .where(WatchState.profile_id == profile_id)
            .order_by(WatchState.client_at.desc())
            .limit(limit)
            .offset(offset)
        )
        return list(found)

    async def some(self, profile_id: int, video_ids: Sequence[int]) -> list[WatchState]:
        found = await self.session.scalars(
            select(WatchState)
            .where(WatchState.profile_id == profile_id, WatchState.video_id.in_(video_ids))
            .execution_options(populate_existing=True)
        )
        return list(found)

    async def delete_position(self, profile_id: int, video_id: int | None = None) -> int:
        """Delete the position in one video, or all; return how many."""
        statement = delete(WatchState).where(WatchState.profile_id == profile_id)
        if video_id is not None:
            statement = statement.where(WatchState.video_id == video_id)
        return len((await self.session.scalars(statement.returning(WatchState.id))).all())


class VoteRepository(SQLAlchemyAsyncRepository[Vote]):
    """Votes; triggers maintain the counts of videos."""

    model_type = Vote

    async def cast(self, profile_id: int, video_id: int, value: int) -> None:
        """Upsert the profile's vote on a video."""
        vote = insert(Vote).values(
            profile_id=profile_id,
            video_id=video_id,
            value=value,
            created_at=func.now(),
            updated_at=func.now(),
        )
        await self.session.execute(
            vote.on_conflict_do_update(
                index_elements=["profile_id", "video_id"],
                set_={"value": value, "updated_at": func.now()},
                where=Vote.value != value,
            )
        )

    async def withdraw(self, profile_id: int, video_id: int) -> None:
        await self.session.execute(
            delete(Vote).where(and_(Vote.profile_id == profile_id, Vote.video_id == video_id))
        )

    async def list_page(
        self, page: LimitOffset, *, video_id: int | None, user_id: int | None
    ) -> tuple[list[tuple[Vote, str, Profile, str]], int]:
        """Votes with title, profile and the owner's e-mail address; with the total."""
        wanted: list[ColumnElement[bool]] = []
        if video_id is not None:
            wanted.append(Vote.video_id == video_id)
        if user_id is not None:
            wanted.append(Profile.user_id == user_id)
        found = (
            select(Vote, Video.title, Profile, User.email)
            .join(Video, Video.id == Vote.video_id)
            .join(Profile, Profile.id == Vote.profile_id)
            .join(User, User.id == Profile.user_id)
            .where(*wanted)
        )
        total = await self.session.scalar(select(func.count()).select_from(found.subquery()))
        newest = found.order_by(Vote.id.desc()).limit(page.limit).offset(page.offset)
        rows = await self.session.execute(newest)
        return [(row[0], row[1], row[2], row[3]) for row in rows], total or 0

    async def counts(self, profile_id: int, video_id: int) -> tuple[int | None, int, int]:
        """The profile's vote, and the number of upvotes and downvotes."""
        mine = (
            select(Vote.value)
            .where(Vote.profile_id == profile_id, Vote.video_id == video_id)
            .scalar_subquery()
        )
        row = (
            await self.session.execute(
                select(mine, Video.upvotes, Video.downvotes).where(Video.id == video_id)
            )
        ).one()
        return row[0], row[1], row[2]


class ViewRepository:
    """Views, partitioned by month."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def add(self, seen: Sequence[tuple[int, int, date]]) -> int:
        """Insert views (video, profile, day) that are new; return how many were."""
        added = await self.session.execute(
            insert(video_view)
            .values(
                [
                    {"video_id": video_id, "profile_id": profile_id, "seen_on": day}
                    for video_id, profile_id, day in sorted(seen)
                ]
            )
            .on_conflict_do_nothing()
            .returning(video_view.c.video_id)
        )
        new = sorted(row[0] for row in added)
        for video_id in dict.fromkeys(new):
            await self.session.execute(
                text("update video set views = views + :count where id = :id"),
                {"count": new.count(video_id), "id": video_id},
            )
        return len(new)

    async def roll_up(self) -> int:
        """Recount the views of the last 30 days; return how many videos changed."""
        return len((await self.session.execute(ROLL_UP)).all())

    async def make_partition(self, begin: date, end: date) -> None:
        """Create the partition of a month unless it exists."""
        statement = MAKE_PARTITION.format(name=f"{begin:%Y_%m}", begin=begin, end=end)
        await self.session.execute(text(statement))
