"""Votes on movies: one a person and movie, whether the provider answers or not."""

from collections.abc import Sequence
from uuid import UUID

from advanced_alchemy.filters import LimitOffset
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.movies.models import MovieRating, RatingType
from videoflix.movies.repository import MovieRatingRepository
from videoflix.movies.schemas import PAGE_SIZE, NewRating, Tally
from videoflix.movies.service.search import PageInvalid
from videoflix.platform.postgres.session import violated
from videoflix.platform.problems import Conflict, NotFound


class RatingNotFound(NotFound):
    """There is no such rating, or it is not yours."""


class MovieRatedAlready(Conflict):
    """You can have only one rating per movie: change the one you have."""


class MovieVotes:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.ratings = MovieRatingRepository(session=session)

    async def tallies(self, user_id: int, movie_ids: Sequence[UUID]) -> dict[UUID, Tally]:
        """The votes on these movies."""
        found = await self.ratings.tallies(user_id, movie_ids)
        return {movie_id: found.get(movie_id, Tally()) for movie_id in movie_ids}

    async def of(
        self, user_id: int, rating_type: RatingType | None, page: int
    ) -> tuple[list[MovieRating], int]:
        """A page of a person's votes, and how many there are. Raises PageInvalid."""
        if page < 1:
            raise PageInvalid
        part = LimitOffset(PAGE_SIZE, (page - 1) * PAGE_SIZE)
        found, total = await self.ratings.of(user_id, rating_type, part)
        if page > 1 and not found:
            raise PageInvalid
        return found, total

    async def every(self, user_id: int, page: LimitOffset) -> list[MovieRating]:
        """A person's votes, the newest first."""
        found, _ = await self.ratings.of(user_id, None, page)
        return found

    async def rating(self, user_id: int, rating_id: int) -> MovieRating:
        """Raises RatingNotFound."""
        found = await self.ratings.owned(user_id, rating_id)
        if found is None:
            raise RatingNotFound
        return found

    async def is_anybodys(self, rating_id: int) -> bool:
        """Whether there is such a vote, whoever's it is."""
        return await self.ratings.exists(id=rating_id)

    async def vote(self, user_id: int, new: NewRating) -> MovieRating:
        """Raises MovieRatedAlready."""
        rating = MovieRating(user_id=user_id, movie_id=new.movie_id, rating_type=new.rating_type)
        try:
            async with self.session.begin_nested():
                self.session.add(rating)
        except SQLAlchemyError as error:
            if violated(error) == "uq_movie_rating_user_id":
                raise MovieRatedAlready from error
            raise
        return rating

    async def change(self, user_id: int, rating_id: int, rating_type: RatingType) -> MovieRating:
        """Raises RatingNotFound."""
        changed = await self.ratings.change(user_id, rating_id, rating_type)
        if changed is None:
            raise RatingNotFound
        return changed

    async def take(self, user_id: int, rating_id: int) -> None:
        """Take a vote back. Raises RatingNotFound."""
        if not await self.ratings.take(user_id, rating_id):
            raise RatingNotFound
