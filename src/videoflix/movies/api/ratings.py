"""Ratings of movies over HTTP; users manage their own."""

from typing import Annotated

from litestar import Controller, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET

from videoflix.movies.api.movies import PageNumber
from videoflix.movies.api.urls import neighbours
from videoflix.movies.models import RatingType
from videoflix.movies.schemas import RatingCreate, RatingPage, RatingRead, RatingUpdate
from videoflix.movies.service.search import InvalidPage
from videoflix.movies.service.votes import MovieAlreadyRated, MovieVotes, RatingNotFound
from videoflix.platform.auth.identity import CurrentUser, Identity, signed_in
from videoflix.platform.http.params import Id, names_of, one_of, service
from videoflix.platform.problems import Unauthorized, problems

PATH = "/api/v1/movies/ratings"
OfType = Annotated[
    str,
    QueryParameter(
        description="Type of rating; empty for all.", schema_extra=names_of(RatingType, "")
    ),
]


class MovieRatingController(Controller):
    path = "/movies/ratings"
    tags = ("Movies",)
    guards = (signed_in,)
    dependencies = {"votes": service(MovieVotes)}

    @get(summary="List your ratings", responses=problems(Unauthorized, InvalidPage))
    async def list_ratings(
        self,
        user: CurrentUser,
        votes: NamedDependency[MovieVotes],
        rating_type: OfType = "",
        page: PageNumber = 1,
    ) -> RatingPage:
        """List your ratings, newest first, ten per page."""
        wanted = one_of(RatingType, "rating_type", rating_type or None)
        return await rating_page(user, votes, wanted, page)

    @post(summary="Rate a movie", responses=problems(Unauthorized, MovieAlreadyRated))
    async def add_rating(
        self,
        user: CurrentUser,
        votes: NamedDependency[MovieVotes],
        data: JSONBody[RatingCreate],
    ) -> RatingRead:
        """Rate a movie, once; the provider is not queried."""
        return RatingRead.of(await votes.vote(user.user_id, data))

    @get(
        "/{rating_id:int}",
        summary="Show a rating",
        responses=problems(Unauthorized, RatingNotFound),
    )
    async def show_rating(
        self,
        user: CurrentUser,
        votes: NamedDependency[MovieVotes],
        rating_id: FromPath[Id],
    ) -> RatingRead:
        """Show one of your ratings."""
        return RatingRead.of(await votes.rating(user.user_id, rating_id))

    @put(
        "/{rating_id:int}",
        summary="Change a rating",
        responses=problems(Unauthorized, RatingNotFound),
    )
    async def replace_rating(
        self,
        user: CurrentUser,
        votes: NamedDependency[MovieVotes],
        rating_id: FromPath[Id],
        data: JSONBody[RatingUpdate],
    ) -> RatingRead:
        """Change the type of one of your ratings; other fields are ignored."""
        return await _change(votes, user.user_id, rating_id, data)

    @patch(
        "/{rating_id:int}",
        summary="Change a rating",
        responses=problems(Unauthorized, RatingNotFound),
    )
    async def change_rating(
        self,
        user: CurrentUser,
        votes: NamedDependency[MovieVotes],
        rating_id: FromPath[Id],
        data: JSONBody[RatingUpdate],
    ) -> RatingRead:
        """Change the type of one of your ratings; other fields are ignored."""
        return await _change(votes, user.user_id, rating_id, data)

    @delete(
        "/{rating_id:int}",
        summary="Delete a rating",
        responses=problems(Unauthorized, RatingNotFound),
    )
    async def remove_rating(
        self,
        user: CurrentUser,
        votes: NamedDependency[MovieVotes],
        rating_id: FromPath[Id],
    ) -> None:
        """Delete one of your ratings; you can rate the movie again."""
        await votes.remove(user.user_id, rating_id)


async def rating_page(
    user: Identity,
    votes: MovieVotes,
    wanted: RatingType | None,
    page: int,
    *,
    oldest_first: bool = False,
) -> RatingPage:
    """A page of the user's ratings, newest first by default. Raises InvalidPage."""
    found, total = await votes.for_user(user.user_id, wanted, page, oldest_first=oldest_first)
    params = {"rating_type": wanted.value} if wanted else {}
    following, previous = neighbours(PATH, page, total, **params)
    return RatingPage(total, following, previous, [RatingRead.of(one) for one in found])


async def _change(
    votes: MovieVotes, user_id: int, rating_id: int, change: RatingUpdate
) -> RatingRead:
    if change.rating_type is UNSET:
        return RatingRead.of(await votes.rating(user_id, rating_id))
    return RatingRead.of(await votes.change(user_id, rating_id, change.rating_type))
