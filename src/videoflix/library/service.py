"""Use cases of watchlist, history, votes and views."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.service import Catalog, publish_catalog_change, publish_vote_change
from videoflix.library.models import WatchState
from videoflix.library.repository.continue_watching import ContinueRepository
from videoflix.library.repository.records import (
    ViewRepository,
    VoteRepository,
    WatchlistRepository,
    WatchStateRepository,
)
from videoflix.library.schemas import (
    HistoryItem,
    Progress,
    ProgressUpdate,
    VoteAdminRead,
    VoteRead,
    WatchlistItem,
)
from videoflix.platform.problems import Conflict, NotFound
from videoflix.profiles.schemas import Viewer

WATCHLIST_MAX = 1_000
# A view counts after this many seconds, or this share of shorter videos.
VIEW_SECONDS = 30.0
VIEW_SHARE = 0.5
VALUES: dict[str, int] = {"up": 1, "down": -1}


class NotOnWatchlist(NotFound):
    """This film is not on your watchlist."""


class WatchlistFull(Conflict):
    """Your watchlist is full: it can have at most 1,000 films."""


class VoteNotFound(NotFound):
    """The vote doesn't exist."""


class Library:
    """The library of the profile `viewer`; videos it cannot see are omitted."""

    def __init__(self, session: AsyncSession, viewer: Viewer) -> None:
        self.session = session
        self.viewer = viewer
        self.profile_id = viewer.profile_id
        self.catalog = Catalog(session)
        self.watchlist_entries = WatchlistRepository(session=session)
        self.states = WatchStateRepository(session=session)
        self.continuing = ContinueRepository(session)
        self.votes = VoteRepository(session=session)

    async def watchlist(self, limit: int, offset: int) -> list[WatchlistItem]:
        """List the watchlist in its order."""
        entries = await self.watchlist_entries.for_profile(self.profile_id, limit, offset)
        videos = await self.catalog.get_many(self.viewer, [entry.video_id for entry in entries])
        return [
            WatchlistItem(videos[entry.video_id], entry.created_at)
            for entry in entries
            if entry.video_id in videos
        ]

    async def add(self, video_id: int) -> None:
        """Add a video to the watchlist; idempotent. Raises VideoNotFound or WatchlistFull."""
        await self.catalog.video(self.viewer, video_id)
        added = await self.watchlist_entries.add_first(self.profile_id, video_id)
        if added and await self.watchlist_entries.count(profile_id=self.profile_id) > WATCHLIST_MAX:
            raise WatchlistFull

    async def remove(self, video_id: int) -> None:
        """Remove a video from the watchlist. Raises NotOnWatchlist."""
        if not await self.watchlist_entries.remove(self.profile_id, video_id):
            raise NotOnWatchlist

    async def move(self, video_id: int, before: int | None) -> None:
        """Move a video before another one, or to the end. Raises NotOnWatchlist."""
        entries = await self.watchlist_entries.locked(self.profile_id)
        by_video = {entry.video_id: entry for entry in entries}
        if video_id not in by_video or (before is not None and before not in by_video):
            raise NotOnWatchlist
        if before == video_id:
            return
        order = [entry for entry in entries if entry.video_id != video_id]
        place = len(order) if before is None else order.index(by_video[before])
        order.insert(place, by_video[video_id])
        for position, entry in enumerate(order):
            entry.position = float(position)

    async def contained(self, video_ids: Sequence[int]) -> list[int]:
        """Filter the videos that are on the watchlist."""
        return await self.watchlist_entries.contained(self.profile_id, video_ids)

    async def save_position(self, video_id: int, update: ProgressUpdate) -> tuple[Progress, bool]:
        """Save a position; also return whether it counts as a view. Raises VideoNotFound."""
        video = await self.catalog.video(self.viewer, video_id)
        at = update.at or datetime.now(UTC)
        await self.states.upsert_position(self.profile_id, video_id, update.seconds, at)
        (state,) = await self.states.some(self.profile_id, [video_id])
        enough = min(VIEW_SECONDS, VIEW_SHARE * (video.duration or 2 * VIEW_SECONDS))
        return _progress(state, video.duration), state.seconds >= enough

    async def progress(self, video_id: int) -> Progress:
        """The playback position; 0 if there is none. Raises VideoNotFound."""
        video = await self.catalog.video(self.viewer, video_id)
        states = await self.states.some(self.profile_id, [video_id])
        if not states:
            return Progress(video_id, 0.0, video.duration, finished=False, updated_at=None)
        return _progress(states[0], video.duration)

    async def positions(self, limit: int, offset: int) -> list[WatchState]:
        """List the playback positions, latest first."""
        states = await self.states.for_profile(self.profile_id, limit=limit, offset=offset)
        seen = await self.catalog.get_many(self.viewer, [state.video_id for state in states])
        return [state for state in states if state.video_id in seen]

    async def position(self, video_id: int) -> WatchState | None:
        """The stored playback position, if any. Raises VideoNotFound."""
        await self.catalog.video(self.viewer, video_id)
        states = await self.states.some(self.profile_id, [video_id])
        return states[0] if states else None

    async def to_continue(self, limit: int, offset: int) -> list[HistoryItem]:
        """List unfinished videos, and next episodes of series, latest first."""
        found = await self.continuing.to_continue(self.viewer, limit, offset)
        ids = [one.video_id for one in found]
        videos = await self.catalog.get_many(self.viewer, ids)
        places = await self.catalog.places(self.viewer, ids)
        return [
            HistoryItem(
                video,
                Progress(one.video_id, one.seconds, video.duration, False, one.client_at),
                places.get(one.video_id),
                is_next=one.series_id is not None,
            )
            for one in found
            if (video := videos.get(one.video_id))
        ]

    async def history(self, limit: int, offset: int) -> list[HistoryItem]:
        """List watched videos, latest first."""
        states = await self.states.for_profile(self.profile_id, limit=limit, offset=offset)
        videos = await self.catalog.get_many(self.viewer, [state.video_id for state in states])
        return [
            HistoryItem(video, _progress(state, video.duration))
            for state in states
            if (video := videos.get(state.video_id))
        ]

    async def clear_history(self, video_id: int | None = None) -> None:
        """Delete the playback position in a video, or in all."""
        await self.states.delete_position(self.profile_id, video_id)

    async def vote(self, video_id: int, vote: Literal["up", "down"] | None) -> VoteRead:
        """Cast, change or withdraw (None) the profile's vote. Raises VideoNotFound."""
        await self.catalog.video(self.viewer, video_id)
        if vote is None:
            await self.votes.withdraw(self.profile_id, video_id)
        else:
            await self.votes.cast(self.profile_id, video_id, VALUES[vote])
        await publish_vote_change(self.session, video_id)
        return await self._read_vote(video_id)

    async def own_vote(self, video_id: int) -> VoteRead:
        """The profile's vote and all counts. Raises VideoNotFound."""
        await self.catalog.video(self.viewer, video_id)
        return await self._read_vote(video_id)

    async def votes_cast(self) -> dict[int, int]:
        """The profile's votes by video id: 1 or -1."""
        found = await self.votes.get_many(profile_id=self.profile_id)
        return {vote.video_id: vote.value for vote in found}

    async def _read_vote(self, video_id: int) -> VoteRead:
        mine, up, down = await self.votes.counts(self.profile_id, video_id)
        return VoteRead(None if mine is None else _named(mine), up, down)


class Votes:
    """All votes, for administrators."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.votes = VoteRepository(session=session)

    async def list_page(
        self, page: LimitOffset, *, video_id: int | None, user_id: int | None
    ) -> tuple[list[VoteAdminRead], int]:
        """List votes, newest first, optionally of a video or a user; with the total."""
        found, total = await self.votes.list_page(page, video_id=video_id, user_id=user_id)
        return [
            VoteAdminRead(
                id=vote.id,
                video_id=vote.video_id,
                title=title,
                user_id=profile.user_id,
                owner=owner,
                profile=profile.name,
                vote=_named(vote.value),
                at=vote.updated_at,
            )
            for vote, title, profile, owner in found
        ], total

    async def remove(self, vote_id: int) -> None:
        """Delete a vote. Raises VoteNotFound."""
        vote = await self.votes.get_one_or_none(id=vote_id)
        if vote is None:
            raise VoteNotFound
        await self.votes.withdraw(vote.profile_id, vote.video_id)
        await publish_vote_change(self.session, vote.video_id)


class Views:
    """Views, and the popularity computed from them."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.views = ViewRepository(session)

    async def add(self, seen: Sequence[tuple[int, int, date]]) -> int:
        """Insert views (video, profile, day) that are new; return how many were."""
        return await self.views.add(seen) if seen else 0

    async def roll_up(self) -> int:
        """Recount popularity, and create the partitions of this month and the next."""
        begin = datetime.now(UTC).date().replace(day=1)
        for _ in range(2):
            end = (begin + timedelta(days=32)).replace(day=1)
            await self.views.make_partition(begin, end)
            begin = end
        changed = await self.views.roll_up()
        if changed:
            await publish_catalog_change(self.session)
        return changed


def _named(value: int) -> Literal["up", "down"]:
    return "up" if value > 0 else "down"


def _progress(state: WatchState, duration: float | None) -> Progress:
    return Progress(
        video_id=state.video_id,
        seconds=state.seconds,
        duration=duration,
        finished=state.finished,
        updated_at=state.client_at,
    )
