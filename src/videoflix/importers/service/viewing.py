"""Import of watchlists, playback positions, and votes on movies."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.importers.repository import ImportRepository
from videoflix.importers.schemas import (
    Kind,
    OldProgress,
    OldRating,
    OldWatchlist,
    OldWatchlistEntry,
)
from videoflix.importers.service.context import ImportContext
from videoflix.profiles.service import Profiles

NOT_IMPORTED = "belongs to an account or a video that was not imported"
POSITION_MAX = 10_000_000.0

Row = dict[str, Any]


class Viewing:
    """What belongs to a person goes to the first profile of their account."""

    def __init__(self, session: AsyncSession, context: ImportContext) -> None:
        self.session = session
        self.context = context
        self.repository = ImportRepository(session)

    def add_watchlists(self, watchlists: Sequence[OldWatchlist]) -> None:
        """Note whose the watchlists are; an account here has one."""
        users = self.context.ids[Kind.USER]
        owners = {one.id: users[one.user] for one in watchlists if one.user in users}
        self.context.ids[Kind.WATCHLIST].update(owners)

    async def add_watchlist_entries(self, entries: Sequence[OldWatchlistEntry]) -> None:
        owners = self.context.ids[Kind.WATCHLIST]
        rows = await self._rows(
            Kind.WATCHLIST_ENTRY,
            [
                (owners.get(entry.watchlist), entry.video, {"created_at": _past(entry.added_on)})
                for entry in entries
            ],
        )
        self._count(Kind.WATCHLIST_ENTRY, rows, await self.repository.add_watchlist_entries(rows))

    async def add_positions(self, positions: Sequence[OldProgress]) -> None:
        users = self.context.ids[Kind.USER]
        rows = await self._rows(
            Kind.PROGRESS,
            [(users.get(one.user), one.video, _position(one)) for one in positions],
        )
        self._count(Kind.PROGRESS, rows, await self.repository.add_positions(rows))

    async def add_ratings(self, ratings: Sequence[OldRating]) -> None:
        users = self.context.ids[Kind.USER]
        there = await self.repository.existing_users([users.get(one.user, 0) for one in ratings])
        rows: list[Row] = []
        for rating in ratings:
            user_id = users.get(rating.user)
            if user_id not in there:
                self.context.reports[Kind.RATING].leave_out(NOT_IMPORTED, rating.id)
                continue
            vote = {"movie_id": rating.movie_id, "rating_type": rating.rating_type}
            rows.append({"user_id": user_id, "created_at": _past(rating.created_at), **vote})
        self._count(Kind.RATING, rows, await self.repository.add_ratings(rows))

    async def _rows(self, kind: Kind, records: Sequence[tuple[int | None, int, Row]]) -> list[Row]:
        """Resolve the account and the video of each record; leave out those that have none."""
        videos = self.context.ids[Kind.VIDEO]
        there = await self.repository.existing_videos(
            [videos.get(video, 0) for _, video, _ in records]
        )
        owners = [user_id for user_id, _, _ in records if user_id is not None]
        profiles = await Profiles(self.session).first_of_many(owners)
        rows: list[Row] = []
        for user_id, old_video, fields in records:
            profile_id, video_id = profiles.get(user_id or 0), videos.get(old_video)
            if profile_id is None or video_id not in there:
                self.context.reports[kind].leave_out(NOT_IMPORTED, f"video {old_video}")
                continue
            rows.append({"profile_id": profile_id, "video_id": video_id, **fields})
        return rows

    def _count(self, kind: Kind, rows: list[Row], added: int) -> None:
        self.context.reports[kind].added += added
        self.context.reports[kind].known += len(rows) - added


def _position(old: OldProgress) -> Row:
    at = _past(old.updated_at or old.watched_on)
    seconds = min(max(old.progress_seconds, 0.0), POSITION_MAX)
    return {"seconds": seconds, "finished": False, "client_at": at, "created_at": at}


def _past(moment: datetime | None) -> datetime:
    now = datetime.now(UTC)
    return min(moment or now, now)
