"""The dialect `movies`: the paths are those of /api/v1, the errors Django REST framework's.

It replaces the native routes of movies, so it is only enabled if DIALECTS names it.
"""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from videoflix.accounts.problems import WeakPassword
from videoflix.accounts.schemas import Name, Password
from videoflix.compat.dialect import Dialect
from videoflix.compat.drf.errors import NON_FIELD, NOT_ALLOWED, DrfError, field_error, not_found
from videoflix.compat.drf.formats import stamp
from videoflix.compat.drf.parsing import Email, read, read_fields
from videoflix.compat.pages import DOCUMENT, REDOC, SWAGGER, redirects
from videoflix.movies.api.movies import MovieController, found_movie, found_page
from videoflix.movies.api.ratings import MovieRatingController, rating_page
from videoflix.movies.models import MovieRating, RatingType
from videoflix.movies.schemas import RatingCreate, RatingRead, RatingUpdate, SearchPage, SingleMovie
from videoflix.movies.service.search import InvalidPage, MoviesProviderUnavailable
from videoflix.movies.service.votes import MovieAlreadyRated, MovieVotes, RatingNotFound
from videoflix.platform.auth.identity import CurrentUser, Identity, signed_in
from videoflix.platform.http.params import Id, service
from videoflix.registration.api import limit_mail
from videoflix.registration.schemas import RegistrationCreate
from videoflix.registration.service import Registration
from videoflix.settings import settings

PAGE = "Invalid page."
PAGES = {
    "/api/schema": DOCUMENT,
    "/api/schema/swagger-ui": SWAGGER,
    "/api/schema/redoc": REDOC,
}
RATED = "You can have only one rating per movie"


class SearchForm(msgspec.Struct):
    query: Annotated[str, msgspec.Meta(max_length=200, pattern=r"\S")]
    page: Annotated[int, msgspec.Meta(ge=1)] = 1


class RatingTypeFilter(msgspec.Struct):
    rating_type: RatingType | None = None


class RegistrationForm(msgspec.Struct):
    email: Email
    password: Password
    first_name: Name = ""
    last_name: Name = ""


class RegisterController(Controller):
    path = "/api/v1/users/register"
    dependencies = {"registration": service(Registration)}

    @post(opt={"canonical": "POST /api/v1/auth/register"})
    async def register(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> Response[dict[str, Any]]:
        """Register; the address must be confirmed unless ACTIVATION_REQUIRED is off."""
        new = await read(request, RegistrationForm)
        await limit_mail(request, new.email)
        try:
            made = await registration.register(RegistrationCreate(**msgspec.structs.asdict(new)))
        except WeakPassword as error:
            raise field_error("password", error.detail) from error
        if made.is_known and settings.dialects_reveal_accounts:
            # No error, to prevent enumeration: the owner of the address gets a mail.
            taken = {"email": ["user with this email already exists."]}
            return Response(taken, status_code=HTTPStatus.BAD_REQUEST)
        body = {
            "id": made.user_id,
            "username": None,
            "first_name": new.first_name,
            "last_name": new.last_name,
            "email": made.email,
        }
        return Response(body, status_code=HTTPStatus.CREATED)


class OlderMovieController(Controller):
    path = "/api/v1/movies"
    guards = (signed_in,)

    @get(opt={"canonical": "GET /api/v1/movies"})
    async def search_movies(self, request: Request[Any, Any, Any]) -> Response[SearchPage]:
        asked = read_fields(_asked(request), SearchForm)
        try:
            return await found_page(request.user, asked.query, asked.page)
        except InvalidPage as error:
            raise DrfError({"detail": PAGE}) from error
        except MoviesProviderUnavailable as error:
            raise _provider_error(error) from error

    @get("/{movie_id:uuid}", opt={"canonical": "GET /api/v1/movies/{movie_id}"})
    async def show_movie(
        self, user: CurrentUser, movie_id: FromPath[UUID]
    ) -> Response[SingleMovie]:
        try:
            return await found_movie(user, movie_id)
        except MoviesProviderUnavailable as error:
            raise _provider_error(error) from error


class OlderRatingController(Controller):
    path = "/api/v1/movies/ratings"
    guards = (signed_in,)
    dependencies = {"votes": service(MovieVotes)}

    @get(opt={"canonical": "GET /api/v1/movies/ratings"})
    async def list_ratings(
        self, request: Request[Any, Any, Any], votes: NamedDependency[MovieVotes]
    ) -> dict[str, Any]:
        asked = _asked(request)
        wanted = read_fields({k: v for k, v in asked.items() if v}, RatingTypeFilter).rating_type
        page = asked.get("page", "1")
        try:
            number = int(page) if page.isdecimal() and len(page) < 10 else 0
            found = await rating_page(request.user, votes, wanted, number)
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

    @get("/{rating_id:int}", opt={"canonical": "GET /api/v1/movies/ratings/{rating_id}"})
    async def show_rating(
        self,
        user: CurrentUser,
        votes: NamedDependency[MovieVotes],
        rating_id: FromPath[Id],
    ) -> dict[str, Any]:
        return _serialize(await _owned(user, votes, rating_id))

    @put("/{rating_id:int}", opt={"canonical": "PUT /api/v1/movies/ratings/{rating_id}"})
    async def replace_rating(
        self,
        request: Request[Any, Any, Any],
        votes: NamedDependency[MovieVotes],
        rating_id: FromPath[Id],
    ) -> dict[str, Any]:
        return await _changed(request, votes, rating_id)

    @patch("/{rating_id:int}", opt={"canonical": "PATCH /api/v1/movies/ratings/{rating_id}"})
    async def change_rating(
        self,
        request: Request[Any, Any, Any],
        votes: NamedDependency[MovieVotes],
        rating_id: FromPath[Id],
    ) -> dict[str, Any]:
        return await _changed(request, votes, rating_id)

    @delete("/{rating_id:int}", opt={"canonical": "DELETE /api/v1/movies/ratings/{rating_id}"})
    async def remove_rating(
        self,
        user: CurrentUser,
        votes: NamedDependency[MovieVotes],
        rating_id: FromPath[Id],
    ) -> None:
        await _owned(user, votes, rating_id)
        await votes.remove(user.user_id, rating_id)


async def _changed(
    request: Request[Any, Any, Any], votes: MovieVotes, rating_id: int
) -> dict[str, Any]:
    rating = await _owned(request.user, votes, rating_id)
    change = await read(request, RatingUpdate)
    if change.rating_type is not msgspec.UNSET:
        rating = await votes.change(request.user.user_id, rating_id, change.rating_type)
    return _serialize(rating)


async def _owned(user: Identity, votes: MovieVotes, rating_id: int) -> MovieRating:
    """Get an own rating; 403 for those of other users, as in the older backend."""
    try:
        return await votes.rating(user.user_id, rating_id)
    except RatingNotFound as error:
        if await votes.is_anybodys(rating_id):
            raise DrfError({"detail": NOT_ALLOWED}, HTTPStatus.FORBIDDEN) from error
        raise not_found("MovieRating") from error


def _asked(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The query parameters; the last value wins."""
    return {name: request.query_params.getall(name)[-1] for name in request.query_params}


def _provider_error(error: MoviesProviderUnavailable) -> DrfError:
    """The older backend's error, with our status and headers instead of its 500."""
    return DrfError({"detail": "Data provider error"}, error.status, error.response_headers())


def _serialize(rating: MovieRating | RatingRead) -> dict[str, Any]:
    return {
        "id": rating.id,
        "rating_type": rating.rating_type,
        "movie_id": str(rating.movie_id),
        "user_id": rating.user_id,
        "created_at": stamp(rating.created_at),
        "updated_at": stamp(rating.updated_at),
    }


MOVIES = Dialect(
    "movies",
    (RegisterController, OlderMovieController, OlderRatingController, redirects(PAGES)),
    replaces=(MovieController, MovieRatingController),
)
