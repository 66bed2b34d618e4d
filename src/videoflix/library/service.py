"""What profiles remember: watchlist, history, votes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.service import Catalog, publish_catalog_change, publish_vote_change
from videoflix.library.models import WatchState
from videoflix.library.repository import (
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
# A view counts from here on.
VIEW_SECONDS = 30.0
VIEW_SHARE = 0.5
VALUES: dict[str, int] = {"up": 1, "down": -1}


class NotOnWatchlist(NotFound):
    """This film is not on your watchlist."""


class WatchlistFull(Conflict):
    """A watchlist holds at most a thousand films."""


class VoteNotFound(NotFound):
    """There is no such vote."""


class Library:
    """`viewer` is the profile that remembers; what it may not see (any more) is left out."""

    def __init__(self, session: AsyncSession, viewer: Viewer) -> None:
        self.session = session
        self.viewer = viewer
        self.profile_id = viewer.profile_id
        self.catalog = Catalog(session)
        self.watchlist_entries = WatchlistRepository(session=session)
        self.states = WatchStateRepository(session=session)
        self.votes = VoteRepository(session=session)

    async def watchlist(self, limit: int, offset: int) -> list[WatchlistItem]:
        """The films of the list in its order, those of them that may be seen."""
        entries = await self.watchlist_entries.for_profile(self.profile_id, limit, offset)
        films = await self.catalog.get_many(self.viewer, [entry.video_id for entry in entries])
        return [
            WatchlistItem(films[entry.video_id], entry.created_at)
            for entry in entries
            if entry.video_id in films
        ]

    async def add(self, video_id: int) -> None:
        """Put a film on the list, once. Raises VideoNotFound or WatchlistFull."""
        await self.catalog.video(self.viewer, video_id)
        added = await self.watchlist_entries.add_first(self.profile_id, video_id)
        if added and await self.watchlist_entries.count(profile_id=self.profile_id) > WATCHLIST_MAX:
            raise WatchlistFull

    async def remove(self, video_id: int) -> None:
        """Take a film off the list. Raises NotOnWatchlist."""
        if not await self.watchlist_entries.remove(self.profile_id, video_id):
            raise NotOnWatchlist

    async def move(self, video_id: int, before: int | None) -> None:
        """Put a film of the list before another one, or last. Raises NotOnWatchlist."""
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
        """Which of these films are on the list."""
        return await self.watchlist_entries.contained(self.profile_id, video_ids)

    async def save_position(self, video_id: int, update: ProgressUpdate) -> tuple[Progress, bool]:
        """Remember where a player is; and whether that makes it a view. Raises VideoNotFound."""
        video = await self.catalog.video(self.viewer, video_id)
        at = update.at or datetime.now(UTC)
        await self.states.upsert_position(self.profile_id, video_id, update.seconds, at)
        (state,) = await self.states.some(self.profile_id, [video_id])
        enough = min(VIEW_SECONDS, VIEW_SHARE * (video.duration or 2 * VIEW_SECONDS))
        return _progress(state, video.duration), state.seconds >= enough

    async def progress(self, video_id: int) -> Progress:
        """Where the profile is; at the beginning if it never was. Raises VideoNotFound."""
        video = await self.catalog.video(self.viewer, video_id)
        states = await self.states.some(self.profile_id, [video_id])
        if not states:
            return Progress(video_id, 0.0, video.duration, finished=False, updated_at=None)
        return _progress(states[0], video.duration)

    async def positions(self, limit: int, offset: int) -> list[WatchState]:
        """Where the profile stopped in the films it watched, the latest first."""
        states = await self.states.for_profile(
            self.profile_id, unfinished=False, limit=limit, offset=offset
        )
        seen = await self.catalog.get_many(self.viewer, [state.video_id for state in states])
        return [state for state in states if state.video_id in seen]

    async def position(self, video_id: int) -> WatchState | None:
        """Where the profile stopped in a film. Raises VideoNotFound."""
        await self.catalog.video(self.viewer, video_id)
        states = await self.states.some(self.profile_id, [video_id])
        return states[0] if states else None

    async def history(self, limit: int, offset: int, *, unfinished: bool) -> list[HistoryItem]:
        """What the profile watched, the latest first; or only what it did not finish."""
        states = await self.states.for_profile(
            self.profile_id, unfinished=unfinished, limit=limit, offset=offset
        )
        films = await self.catalog.get_many(self.viewer, [state.video_id for state in states])
        return [
            HistoryItem(film, _progress(state, film.duration))
            for state in states
            if (film := films.get(state.video_id))
        ]

    async def clear_history(self, video_id: int | None = None) -> None:
        """Forget where the profile was in a film, or in all of them."""
        await self.states.delete_position(self.profile_id, video_id)

    async def vote(self, video_id: int, vote: Literal["up", "down"] | None) -> VoteRead:
        """Cast the profile's vote, change it, or take it back. Raises VideoNotFound."""
        await self.catalog.video(self.viewer, video_id)
        if vote is None:
            await self.votes.withdraw(self.profile_id, video_id)
        else:
            await self.votes.cast(self.profile_id, video_id, VALUES[vote])
        await publish_vote_change(self.session, video_id)
        return await self._shown_vote(video_id)

    async def own_vote(self, video_id: int) -> VoteRead:
        """Raises VideoNotFound."""
        await self.catalog.video(self.viewer, video_id)
        return await self._shown_vote(video_id)

    async def votes_cast(self) -> dict[int, int]:
        """The profile's votes by film: 1 or -1."""
        found = await self.votes.get_many(profile_id=self.profile_id)
        return {vote.video_id: vote.value for vote in found}

    async def _shown_vote(self, video_id: int) -> VoteRead:
        mine, up, down = await self.votes.counts(self.profile_id, video_id)
        return VoteRead(None if mine is None else _named(mine), up, down)


class Votes:
    """Everybody's votes, for those who look after the site."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.votes = VoteRepository(session=session)

    async def list_page(
        self, page: LimitOffset, *, video_id: int | None, user_id: int | None
    ) -> tuple[list[VoteAdminRead], int]:
        """Votes on a film, of a person, or all, the newest first; and how many there are."""
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
        """Take a vote out of the counts. Raises VoteNotFound."""
        vote = await self.votes.get_one_or_none(id=vote_id)
        if vote is None:
            raise VoteNotFound
        await self.votes.withdraw(vote.profile_id, vote.video_id)
        await publish_vote_change(self.session, vote.video_id)


class Views:
    """Who watched what, for what is watched most."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.views = ViewRepository(session)

    async def add(self, seen: Sequence[tuple[int, int, date]]) -> int:
        """Count views (film, profile, day), each once; how many were new."""
        return await self.views.add(seen) if seen else 0

    async def roll_up(self) -> int:
        """Count the last 30 days, and make tables for this month and the next."""
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
