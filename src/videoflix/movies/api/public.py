"""Our catalogue without signing in, in the API of November 7, for its clients.

Errors have its format too: `{"detail": [{"loc", "msg", "type"}]}`.
"""

from typing import Annotated, Any

import msgspec
from litestar import Controller, HttpMethod, Request, Response, get, route
from litestar.exceptions import ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.status_codes import HTTP_204_NO_CONTENT, HTTP_422_UNPROCESSABLE_ENTITY

from videoflix.catalog.service.browse import OFFSET_MAX
from videoflix.movies.providers.catalog import CatalogProvider
from videoflix.movies.schemas import MoviePage
from videoflix.platform.http.params import BIGINT_MAX
from videoflix.platform.http.urls import absolute
from videoflix.platform.problems import InvalidInput, NotFound, problems, wire_name
from videoflix.profiles.schemas import ANONYMOUS
from videoflix.settings import settings

# Read-only and independent of the user, so every origin may read it.
FOR_ALL = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=60"}
# CORS preflight, for requests with custom headers; a plain GET needs none. If CORS_ORIGINS is set,
# Litestar handles preflights before any route.
PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
    "Allow": "GET, OPTIONS",
}

Skip = Annotated[
    int,
    QueryParameter(
        ge=0,
        le=BIGINT_MAX,
        schema_extra={"maximum": OFFSET_MAX},
        description="How many items to skip.",
    ),
]
Most = Annotated[int, QueryParameter(ge=1, le=1_000, description="Maximum number of items.")]
Words = Annotated[
    str,
    QueryParameter(
        name="query", max_length=200, pattern=r"^[^\x00]*$", description="Search terms."
    ),
]


class CatalogueClosed(NotFound):
    """This installation has no public catalogue."""


class ErrorItem(msgspec.Struct):
    """An error of a parameter."""

    loc: list[str | int]
    msg: str
    type: str


class ErrorItems(msgspec.Struct):
    """Errors of a request."""

    detail: list[ErrorItem]


def _validation(
    request: Request[Any, Any, Any], error: ValidationException
) -> Response[ErrorItems]:
    found = error.extra if isinstance(error.extra, list) else []
    return _error_response(
        *[(wire_name(request, one.get("key")), str(one["message"])) for one in found]
    )


def _too_far(request: Request[Any, Any, Any], error: InvalidInput) -> Response[ErrorItems]:
    return _error_response(("skip", str(error)))


def _error_response(*found: tuple[str, str]) -> Response[ErrorItems]:
    errors = [ErrorItem(["query", name], message, "value_error") for name, message in found]
    return Response(ErrorItems(errors), status_code=HTTP_422_UNPROCESSABLE_ENTITY, headers=FOR_ALL)


class PublicMovieController(Controller):
    path = "/movies"
    tags = ("Movies",)
    exception_handlers = {ValidationException: _validation, InvalidInput: _too_far}

    @get(
        summary="List public videos",
        security=[{}],
        responses={
            **problems(CatalogueClosed),
            HTTP_422_UNPROCESSABLE_ENTITY: ResponseSpec(ErrorItems, generate_examples=False),
        },
    )
    async def list_movies(
        self, skip: Skip = 0, limit: Most = 10, words: Words = ""
    ) -> Response[MoviePage]:
        """List videos for everyone, newest first or by rank of a search; no sign-in needed."""
        if not settings.public_catalogue:
            raise CatalogueClosed
        found = await CatalogProvider(ANONYMOUS).listed(skip, limit, words.strip())
        items = [
            msgspec.structs.replace(movie, image_url=absolute(movie.image_url))
            for movie in found.items
        ]
        return Response(MoviePage(found.total, items), headers=FOR_ALL)

    @route(http_method=HttpMethod.OPTIONS, include_in_schema=False)
    async def allow_pages(self) -> Response[None]:
        """Respond to CORS preflights."""
        return Response(None, status_code=HTTP_204_NO_CONTENT, headers=PREFLIGHT)
