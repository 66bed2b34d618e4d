"""Bulk statements of imports from older backends; each may be repeated."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.catalog.models import Category, Video
from videoflix.importers.models import imported_record
from videoflix.importers.schemas import Kind, Site
from videoflix.library.models import WatchlistEntry, WatchState
from videoflix.memberships.models import Plan
from videoflix.movies.models import MovieRating

KEPT = {User: "user_account", Video: "video"}

Row = dict[str, Any]


class ImportRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def known(self, site: Site, kind: Kind, old_ids: Sequence[int]) -> dict[int, int]:
        """The records that were imported before: old ID to new ID."""
        rows = await self.session.execute(
            select(imported_record.c.old_id, imported_record.c.new_id).where(
                imported_record.c.site == site,
                imported_record.c.kind == kind,
                imported_record.c.old_id.in_(old_ids),
            )
        )
        return {row[0]: row[1] for row in rows}

    async def remember(self, site: Site, kind: Kind, ids: dict[int, int]) -> None:
        if ids:
            rows = [
                {"site": site, "kind": kind, "old_id": old, "new_id": new}
                for old, new in ids.items()
            ]
            await self.session.execute(insert(imported_record).values(rows))

    async def free_ids(self, model: type[User] | type[Video], wanted: Sequence[int]) -> set[int]:
        """Filter the IDs that no row has, and keep them from being assigned by the sequence."""
        taken = await self.session.scalars(select(model.id).where(model.id.in_(wanted)))
        free = set(wanted) - set(taken)
        if free:
            await self.session.execute(
                text(
                    "select setval(name, greatest(:last, nextval(name)))"
                    " from pg_get_serial_sequence(:table, 'id') as name"
                ),
                {"last": max(free), "table": KEPT[model]},
            )
        return free

    async def existing_users(self, ids: Sequence[int]) -> set[int]:
        """Filter the accounts that were not deleted since they were imported."""
        return set(await self.session.scalars(select(User.id).where(User.id.in_(ids))))

    async def existing_videos(self, ids: Sequence[int]) -> set[int]:
        return set(await self.session.scalars(select(Video.id).where(Video.id.in_(ids))))

    async def next_ids(self, count: int) -> list[int]:
        """Account IDs from the sequence."""
        found = await self.session.scalars(
            text(
                "select nextval(pg_get_serial_sequence('user_account', 'id'))"
                " from generate_series(1, :count)"
            ),
            {"count": count},
        )
        return list(found)

    async def accounts(self, keys: Iterable[str]) -> dict[str, int]:
        """The accounts with these e-mail keys."""
        rows = await self.session.execute(
            select(User.email_key, User.id).where(User.email_key.in_(list(keys)))
        )
        return {row[0]: row[1] for row in rows}

    async def add_users(self, rows: list[Row]) -> dict[str, int]:
        """Insert accounts unless their address exists; return the new ones by e-mail key."""
        added = await self.session.execute(
            insert(User)
            .values(rows)
            .on_conflict_do_nothing(index_elements=["email_key"])
            .returning(User.email_key, User.id)
        )
        return {row[0]: row[1] for row in added}

    async def categories(self) -> dict[str, int]:
        rows = await self.session.execute(select(Category.name, Category.id))
        return {row[0]: row[1] for row in rows}

    async def plan_id(self, name: str) -> int | None:
        found: int | None = await self.session.scalar(select(Plan.id).where(Plan.name == name))
        return found

    async def add_watchlist_entries(self, rows: list[Row]) -> int:
        """Append videos to watchlists, in this order; return how many were not there yet.

        Each row has a `profile_id`, a `video_id` and a `created_at`.
        """
        profiles = {row["profile_id"] for row in rows}
        found = await self.session.execute(
            select(WatchlistEntry.profile_id, func.max(WatchlistEntry.position))
            .where(WatchlistEntry.profile_id.in_(profiles))
            .group_by(WatchlistEntry.profile_id)
        )
        ends: dict[int, float] = {row[0]: row[1] for row in found}
        for row in rows:
            ends[row["profile_id"]] = row["position"] = ends.get(row["profile_id"], 0.0) + 1
        return await self._insert_missing(WatchlistEntry, rows)

    async def add_positions(self, rows: list[Row]) -> int:
        """Insert playback positions unless there is one; return how many were inserted."""
        return await self._insert_missing(WatchState, rows)

    async def add_ratings(self, rows: list[Row]) -> int:
        """Insert votes on movies unless there is one; return how many were inserted."""
        return await self._insert_missing(MovieRating, rows)

    async def _insert_missing(
        self, model: type[WatchlistEntry] | type[WatchState] | type[MovieRating], rows: list[Row]
    ) -> int:
        if not rows:
            return 0
        filled = [{"updated_at": row["created_at"], **row} for row in rows]
        added = await self.session.scalars(
            insert(model).values(filled).on_conflict_do_nothing().returning(model.id)
        )
        return len(added.all())
