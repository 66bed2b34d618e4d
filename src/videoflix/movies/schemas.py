"""Wire types of movies and ratings."""

from datetime import datetime
from typing import Self
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from videoflix.movies import models
from videoflix.movies.models import RatingType

PAGE_SIZE = 10


class Movie(msgspec.Struct, frozen=True):
    """A movie of a provider; `rating` is the provider's own, 0 if there is none."""

    id: UUID
    title: str
    description: str
    image_url: str | None
    rating: float


class MoviePage(msgspec.Struct, frozen=True):
    """A page of movies; `total` counts the whole list."""

    total: int
    items: list[Movie]


class VoteCounts(msgspec.Struct, frozen=True):
    """All votes on a movie, and the user's own."""

    upvotes: int = 0
    downvotes: int = 0
    my_vote: RatingType | None = None


class MovieRead(msgspec.Struct):
    """A movie with the votes of our users; `my_vote` is your own."""

    id: UUID
    title: str
    description: str
    rating: float
    image_url: str | None
    upvotes: int
    downvotes: int
    my_vote: RatingType | None


class SingleMovie(MovieRead):
    """A movie; `stale` if it is an expired cache entry because the provider is unavailable."""

    stale: bool


class SearchPage(msgspec.Struct):
    """A page of ten movies; `next` and `previous` are absolute URLs.

    `stale` if it is an expired cache entry because the provider is unavailable.
    """

    count: int
    next: str | None
    previous: str | None
    results: list[MovieRead]
    stale: bool


class RatingRead(msgspec.Struct):
    """A rating of a movie."""

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
    """A page of ten ratings; `next` and `previous` are absolute URLs."""

    count: int
    next: str | None
    previous: str | None
    results: list[RatingRead]


# Older clients send whole objects back, so unknown and read-only fields are ignored.
class RatingCreate(msgspec.Struct):
    """A new rating."""

    movie_id: UUID
    rating_type: RatingType = RatingType.UPVOTE


class RatingUpdate(msgspec.Struct):
    """A change of a rating; omitted fields stay unchanged."""

    rating_type: RatingType | UnsetType = UNSET
