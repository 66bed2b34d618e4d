"""Search of movies, with the errors of the older backend."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, get
from litestar.params import FromPath

from videoflix.compat.drf.errors import DrfError
from videoflix.compat.drf.parsing import read_fields
from videoflix.compat.drf.simplejwt import signed_in_by_bearer
from videoflix.movies.api.movies import found_movie, found_page
from videoflix.movies.schemas import SearchPage, SingleMovie
from videoflix.movies.service.search import InvalidPage, MoviesProviderUnavailable
from videoflix.platform.auth.identity import CurrentUser

PAGE = "Invalid page."


class SearchForm(msgspec.Struct):
    query: Annotated[str, msgspec.Meta(max_length=200, pattern=r"\S")]
    page: Annotated[int, msgspec.Meta(ge=1)] = 1


class OlderMovieController(Controller):
    path = "/api/v1/movies"
    guards = (signed_in_by_bearer,)

    @get(opt={"canonical": "GET /api/v1/movies"})
    async def search_movies(self, request: Request[Any, Any, Any]) -> Response[SearchPage]:
        asked = read_fields(asked_of(request), SearchForm)
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


def asked_of(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The query parameters; the last value wins."""
    return {name: request.query_params.getall(name)[-1] for name in request.query_params}


def _provider_error(error: MoviesProviderUnavailable) -> DrfError:
    """The older backend's error, with our status and headers instead of its 500."""
    return DrfError({"detail": "Data provider error"}, error.status, error.response_headers())
