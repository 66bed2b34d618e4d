"""Ratings of movies: one per user and movie, independent of the provider."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from advanced_alchemy.filters import LimitOffset
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.movies.models import MovieRating, RatingType
from videoflix.movies.repository import MovieRatingRepository
from videoflix.movies.schemas import PAGE_SIZE, RatingCreate, VoteCounts
from videoflix.movies.service.search import InvalidPage
from videoflix.platform.postgres.session import violated
from videoflix.platform.problems import Conflict, NotFound


class RatingNotFound(NotFound):
    """The rating doesn't exist, or is not yours."""


class MovieAlreadyRated(Conflict):
    """You can have only one rating per movie: change the one you have."""

    slug: ClassVar[str] = "movie-rated-already"


class MovieVotes:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.ratings = MovieRatingRepository(session=session)

    async def tallies(self, user_id: int, movie_ids: Sequence[UUID]) -> dict[UUID, VoteCounts]:
        """The vote counts of these movies."""
        found = await self.ratings.tallies(user_id, movie_ids)
        return {movie_id: found.get(movie_id, VoteCounts()) for movie_id in movie_ids}

    async def for_user(
        self,
        user_id: int,
        rating_type: RatingType | None,
        page: int,
        *,
        oldest_first: bool = False,
    ) -> tuple[list[MovieRating], int]:
        """A page of a user's ratings, with the total. Raises InvalidPage."""
        if page < 1:
            raise InvalidPage
        part = LimitOffset(PAGE_SIZE, (page - 1) * PAGE_SIZE)
        found, total = await self.ratings.for_user(
            user_id, rating_type, part, newest_first=not oldest_first
        )
        if page > 1 and not found:
            raise InvalidPage
        return found, total

    async def all_of_user(self, user_id: int, page: LimitOffset) -> list[MovieRating]:
        """List a user's ratings, newest first."""
        found, _ = await self.ratings.for_user(user_id, None, page)
        return found

    async def rating(self, user_id: int, rating_id: int) -> MovieRating:
        """Raises RatingNotFound."""
        found = await self.ratings.owned(user_id, rating_id)
        if found is None:
            raise RatingNotFound
        return found

    async def is_anybodys(self, rating_id: int) -> bool:
        """Whether the rating exists, of any user."""
        return await self.ratings.exists(id=rating_id)

    async def vote(self, user_id: int, new: RatingCreate) -> MovieRating:
        """Add a rating. Raises MovieAlreadyRated."""
        rating = MovieRating(user_id=user_id, movie_id=new.movie_id, rating_type=new.rating_type)
        try:
            async with self.session.begin_nested():
                self.session.add(rating)
        except SQLAlchemyError as error:
            if violated(error) == "uq_movie_rating_user_id":
                raise MovieAlreadyRated from error
            raise
        return rating

    async def change(self, user_id: int, rating_id: int, rating_type: RatingType) -> MovieRating:
        """Raises RatingNotFound."""
        changed = await self.ratings.change(user_id, rating_id, rating_type)
        if changed is None:
            raise RatingNotFound
        return changed

    async def remove(self, user_id: int, rating_id: int) -> None:
        """Delete a rating. Raises RatingNotFound."""
        if not await self.ratings.remove(user_id, rating_id):
            raise RatingNotFound
