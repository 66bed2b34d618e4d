"""SQL of ratings, and of cached responses of providers."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import and_, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.movies.models import MovieRating, RatingType, movie_tally
from videoflix.movies.schemas import VoteCounts

FIND = text("""
select payload, extract(epoch from clock_timestamp() - fetched_at)::float8 as age
from movie_answer where key = :key
""")
# Not if another process has stored a fresh response meanwhile.
CLAIM = text("""
insert into movie_answer as answer (key, fetched_at, claimed_until, created_at, updated_at)
values (:key, now(), now() + cast(:span as interval), now(), now())
on conflict (key) do update set claimed_until = excluded.claimed_until
where (answer.claimed_until is null or answer.claimed_until < now())
  and (answer.payload is null or answer.fetched_at < now() - cast(:fresh as interval))
returning true
""")
RELEASE = text("update movie_answer set claimed_until = null where key = :key")
# Ordered by key, which prevents deadlocks.
KEEP = text("""
insert into movie_answer (key, payload, fetched_at, created_at, updated_at)
select key, payload, clock_timestamp(), now(), now()
from unnest(cast(:keys as text[]), cast(:payloads as text[])) as learnt (key, payload)
order by key
on conflict (key) do update
set payload = excluded.payload, fetched_at = excluded.fetched_at, claimed_until = null,
    updated_at = now()
""")
# Rows without a payload are abandoned claims.
SWEEP = text("""
delete from movie_answer
where fetched_at < now() - cast(:kept as interval)
   or (payload is null and fetched_at < now() - interval '1 hour')
""")


class MovieRatingRepository(SQLAlchemyAsyncRepository[MovieRating]):
    """Ratings and tallies."""

    model_type = MovieRating

    async def for_user(
        self,
        user_id: int,
        rating_type: RatingType | None,
        page: LimitOffset,
        *,
        newest_first: bool = True,
    ) -> tuple[list[MovieRating], int]:
        """List a user's ratings, with the total."""
        conditions = [MovieRating.user_id == user_id]
        if rating_type is not None:
            conditions.append(MovieRating.rating_type == rating_type)
        found, total = await self.get_many_and_count(
            *conditions, page, order_by=("id", newest_first)
        )
        return list(found), total

    async def owned(self, user_id: int, rating_id: int) -> MovieRating | None:
        return await self.get_one_or_none(id=rating_id, user_id=user_id)

    async def change(
        self, user_id: int, rating_id: int, rating_type: RatingType
    ) -> MovieRating | None:
        """Update in one statement, so that concurrent changes are counted correctly."""
        changed: MovieRating | None = await self.session.scalar(
            update(MovieRating)
            .where(MovieRating.id == rating_id, MovieRating.user_id == user_id)
            .values(rating_type=rating_type)
            .returning(MovieRating)
            .execution_options(populate_existing=True)
        )
        return changed

    async def remove(self, user_id: int, rating_id: int) -> bool:
        gone = await self.session.scalar(
            delete(MovieRating)
            .where(MovieRating.id == rating_id, MovieRating.user_id == user_id)
            .returning(MovieRating.id)
        )
        return gone is not None

    async def tallies(self, user_id: int, movie_ids: Sequence[UUID]) -> dict[UUID, VoteCounts]:
        """The votes on those of these movies that have any."""
        tally = movie_tally.c
        mine = and_(MovieRating.movie_id == tally.movie_id, MovieRating.user_id == user_id)
        rows = await self.session.execute(
            select(tally.movie_id, tally.upvotes, tally.downvotes, MovieRating.rating_type)
            .outerjoin_from(movie_tally, MovieRating, mine)
            .where(tally.movie_id.in_(movie_ids))
        )
        return {movie_id: VoteCounts(up, down, my_vote) for movie_id, up, down, my_vote in rows}


class StoredAnswer(NamedTuple):
    """What a provider answered, so many seconds ago; None while it is only being asked."""

    payload: str | None
    age: float


class AnswerRepository:
    """What providers answered, for every process."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, key: str) -> StoredAnswer | None:
        row = (await self.session.execute(FIND, {"key": key})).one_or_none()
        return None if row is None else StoredAnswer(row.payload, row.age)

    async def claim(self, key: str, span: timedelta, fresh: timedelta) -> bool:
        """Try to claim the right to query the provider, for at most `span`.

        False if another process holds it, or if there is a fresh response.
        """
        values = {"key": key, "span": span, "fresh": fresh}
        return bool(await self.session.scalar(CLAIM, values))

    async def release(self, key: str) -> None:
        """Release a claim after the provider failed."""
        await self.session.execute(RELEASE, {"key": key})

    async def put(self, payloads: Mapping[str, str]) -> None:
        """Store responses with the current time."""
        values = {"keys": [*payloads], "payloads": [*payloads.values()]}
        await self.session.execute(KEEP, values)

    async def sweep(self, kept: timedelta) -> int:
        """Delete responses older than `kept`; return how many."""
        deleted = await self.session.execute(SWEEP, {"kept": kept})
        return int(getattr(deleted, "rowcount", 0))
