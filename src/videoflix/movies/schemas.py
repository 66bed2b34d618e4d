"""Shapes of movies and of votes on them."""

from datetime import datetime
from typing import Self
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from videoflix.movies import models
from videoflix.movies.models import RatingType

PAGE_SIZE = 10


class Movie(msgspec.Struct, frozen=True):
    """A movie as providers tell of it; `rating` is the provider's own, 0 when there is none."""

    id: UUID
    title: str
    description: str
    image_url: str | None
    rating: float


class MoviePage(msgspec.Struct, frozen=True):
    """Some movies of a list; `total` counts all of it."""

    total: int
    items: list[Movie]


class VoteCounts(msgspec.Struct, frozen=True):
    """Everybody's votes on a movie, and one's own."""

    upvotes: int = 0
    downvotes: int = 0
    my_vote: RatingType | None = None


class MovieRead(msgspec.Struct):
    """A movie with the votes of the people here; `my_vote` is one's own."""

    id: UUID
    title: str
    description: str
    rating: float
    image_url: str | None
    upvotes: int
    downvotes: int
    my_vote: RatingType | None


class SingleMovie(MovieRead):
    """A movie; `stale` when the provider could not be asked lately."""

    stale: bool


class SearchPage(msgspec.Struct):
    """Ten movies; `next` and `previous` are whole addresses.

    `stale` when the provider could not be asked lately.
    """

    count: int
    next: str | None
    previous: str | None
    results: list[MovieRead]
    stale: bool


class RatingRead(msgspec.Struct):
    """A vote on a movie."""

    id: int
    rating_type: RatingType
    movie_id: UUID
    user_id: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, rating: models.MovieRating) -> Self:
        return cls(
            id=rating.id,
            rating_type=rating.rating_type,
            movie_id=rating.movie_id,
            user_id=rating.user_id,
            created_at=rating.created_at,
            updated_at=rating.updated_at,
        )


class RatingPage(msgspec.Struct):
    """Ten of one's votes; `next` and `previous` are whole addresses."""

    count: int
    next: str | None
    previous: str | None
    results: list[RatingRead]


# Older clients send whole objects back: what may not be changed is ignored.
class RatingCreate(msgspec.Struct):
    """A vote to be."""

    movie_id: UUID
    rating_type: RatingType = RatingType.UPVOTE


class RatingUpdate(msgspec.Struct):
    """What is left out stays."""

    rating_type: RatingType | UnsetType = UNSET
