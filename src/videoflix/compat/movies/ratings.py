"""Ratings of movies: oldest first, and 403 for those of other users."""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Controller, Request, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from videoflix.compat.drf.errors import NON_FIELD, NOT_ALLOWED, DrfError, field_error, not_found
from videoflix.compat.drf.formats import stamp
from videoflix.compat.drf.parsing import numeric_id, read, read_fields
from videoflix.compat.drf.simplejwt import signed_in_by_bearer
from videoflix.compat.movies.search import PAGE, asked_of
from videoflix.movies.api.ratings import rating_page
from videoflix.movies.models import MovieRating, RatingType
from videoflix.movies.schemas import RatingCreate, RatingRead, RatingUpdate
from videoflix.movies.service.search import InvalidPage
from videoflix.movies.service.votes import MovieAlreadyRated, MovieVotes, RatingNotFound
from videoflix.platform.auth.identity import CurrentUser, Identity
from videoflix.platform.http.params import service

RATED = "You can have only one rating per movie"


class RatingTypeFilter(msgspec.Struct):
    rating_type: RatingType | None = None


class OlderRatingController(Controller):
    path = "/api/v1/movies/ratings"
    guards = (signed_in_by_bearer,)
    dependencies = {"votes": service(MovieVotes)}

    @get(opt={"canonical": "GET /api/v1/movies/ratings"})
    async def list_ratings(
        self, request: Request[Any, Any, Any], votes: NamedDependency[MovieVotes]
    ) -> dict[str, Any]:
        asked = asked_of(request)
        wanted = read_fields({k: v for k, v in asked.items() if v}, RatingTypeFilter).rating_type
        page = asked.get("page", "1")
        try:
            number = int(page) if page.isdecimal() and len(page) < 10 else 0
            found = await rating_page(request.user, votes, wanted, number, oldest_first=True)
        except InvalidPage as error:
            raise DrfError({"detail": PAGE}, HTTPStatus.NOT_FOUND) from error
        return msgspec.structs.asdict(found) | {
            "results": [_serialize(rating) for rating in found.results]
        }

    @post(opt={"canonical": "POST /api/v1/movies/ratings"})
    async def add_rating(
        self, request: Request[Any, Any, Any], votes: NamedDependency[MovieVotes]
    ) -> dict[str, Any]:
        new = await read(request, RatingCreate)
        try:
            return _serialize(await votes.vote(request.user.user_id, new))
        except MovieAlreadyRated as error:
            raise field_error(NON_FIELD, RATED) from error

    @get("/{rating_id:str}", opt={"canonical": "GET /api/v1/movies/ratings/{rating_id}"})
    async def show_rating(
        self,
        user: CurrentUser,
        votes: NamedDependency[MovieVotes],
        rating_id: FromPath[str],
    ) -> dict[str, Any]:
        return _serialize(await _owned(user, votes, rating_id))

    @put("/{rating_id:str}", opt={"canonical": "PUT /api/v1/movies/ratings/{rating_id}"})
    async def replace_rating(
        self,
        request: Request[Any, Any, Any],
        votes: NamedDependency[MovieVotes],
        rating_id: FromPath[str],
    ) -> dict[str, Any]:
        return await _changed(request, votes, rating_id)

    @patch("/{rating_id:str}", opt={"canonical": "PATCH /api/v1/movies/ratings/{rating_id}"})
    async def change_rating(
        self,
        request: Request[Any, Any, Any],
        votes: NamedDependency[MovieVotes],
        rating_id: FromPath[str],
    ) -> dict[str, Any]:
        return await _changed(request, votes, rating_id)

    @delete("/{rating_id:str}", opt={"canonical": "DELETE /api/v1/movies/ratings/{rating_id}"})
    async def remove_rating(
        self,
        user: CurrentUser,
        votes: NamedDependency[MovieVotes],
        rating_id: FromPath[str],
    ) -> None:
        rating = await _owned(user, votes, rating_id)
        await votes.remove(user.user_id, rating.id)


async def _changed(
    request: Request[Any, Any, Any], votes: MovieVotes, rating_id: str
) -> dict[str, Any]:
    rating = await _owned(request.user, votes, rating_id)
    change = await read(request, RatingUpdate)
    if change.rating_type is not msgspec.UNSET:
        rating = await votes.change(request.user.user_id, rating.id, change.rating_type)
    return _serialize(rating)


async def _owned(user: Identity, votes: MovieVotes, rating_id: str) -> MovieRating:
    """Get an own rating; 403 for those of other users, as in the older backend."""
    number = numeric_id(rating_id)
    if number is None:
        raise DrfError({"detail": "Not found."}, HTTPStatus.NOT_FOUND)
    try:
        return await votes.rating(user.user_id, number)
    except RatingNotFound as error:
        if await votes.is_anybodys(number):
            raise DrfError({"detail": NOT_ALLOWED}, HTTPStatus.FORBIDDEN) from error
        raise not_found("MovieRating") from error


def _serialize(rating: MovieRating | RatingRead) -> dict[str, Any]:
    return {
        "id": rating.id,
        "rating_type": rating.rating_type,
        "movie_id": str(rating.movie_id),
        "user_id": rating.user_id,
        "created_at": stamp(rating.created_at),
        "updated_at": stamp(rating.updated_at),
    }
