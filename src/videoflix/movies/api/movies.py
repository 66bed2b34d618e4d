"""Movies of the provider over HTTP, with the votes of our users."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, get
from litestar.params import FromPath, QueryParameter

from videoflix.movies.api.urls import PAGE_MAX, neighbours
from videoflix.movies.schemas import Movie, MovieRead, SearchPage, SingleMovie
from videoflix.movies.service import search
from videoflix.movies.service.search import (
    InvalidPage,
    MovieNotFound,
    MovieQueryRejected,
    MoviesProviderUnavailable,
)
from videoflix.movies.service.votes import MovieVotes
from videoflix.platform.auth.identity import CurrentUser, Identity, signed_in
from videoflix.platform.http.params import VISIBLE
from videoflix.platform.http.urls import absolute
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import problems
from videoflix.profiles.service import VIEWER_PROBLEMS, current_viewer

PATH = "/api/v1/movies/"
PERSONAL = {"Cache-Control": "private, no-store"}
STALE = {"Warning": '110 - "Response is Stale"'}

# Litestar reserves the name `query`.
Words = Annotated[
    str,
    QueryParameter(
        name="query",
        max_length=200,
        pattern=rf"^[^\x00]*{VISIBLE}[^\x00]*$",
        description="Search terms.",
    ),
]
PageNumber = Annotated[int, QueryParameter(ge=1, le=PAGE_MAX, description="Counted from 1.")]


class MovieController(Controller):
    path = "/movies"
    tags = ("Movies",)
    guards = (signed_in,)

    @get(
        summary="Search movies",
        responses=problems(
            *VIEWER_PROBLEMS, InvalidPage, MovieQueryRejected, MoviesProviderUnavailable
        ),
    )
    async def search_movies(
        self, user: CurrentUser, words: Words, page: PageNumber = 1
    ) -> Response[SearchPage]:
        """Search the movies of the provider, ten per page, with votes.

        While the provider is unavailable, cached results of up to a day are returned as `stale`.
        """
        return await found_page(user, words, page)

    @get(
        "/{movie_id:uuid}",
        summary="Show a movie",
        responses=problems(*VIEWER_PROBLEMS, MovieNotFound, MoviesProviderUnavailable),
    )
    async def show_movie(
        self, user: CurrentUser, movie_id: FromPath[UUID]
    ) -> Response[SingleMovie]:
        """Show a movie with votes."""
        return await found_movie(user, movie_id)


async def found_page(user: Identity, words: str, page: int) -> Response[SearchPage]:
    """Search, and add votes. Raises what search.search raises."""
    viewer = await current_viewer(user)
    found, stale = await search.search(viewer, words, page)
    following, previous = neighbours(PATH, page, found.total, query=words)
    shown = await _with_votes(user.user_id, found.items)
    return _response(SearchPage(found.total, following, previous, shown, stale), stale)


async def found_movie(user: Identity, movie_id: UUID) -> Response[SingleMovie]:
    """Get one movie with votes. Raises what search.movie raises."""
    viewer = await current_viewer(user)
    found, stale = await search.movie(viewer, movie_id)
    (shown,) = await _with_votes(user.user_id, [found])
    return _response(SingleMovie(**msgspec.structs.asdict(shown), stale=stale), stale)


async def _with_votes(user_id: int, movies: Sequence[Movie]) -> list[MovieRead]:
    async with transaction() as session:
        votes = MovieVotes(session)
        tallies = await votes.tallies(user_id, [movie.id for movie in movies])
    return [
        MovieRead(
            id=movie.id,
            title=movie.title,
            description=movie.description,
            rating=movie.rating,
            image_url=absolute(movie.image_url),
            **msgspec.structs.asdict(tallies[movie.id]),
        )
        for movie in movies
    ]


def _response(body: Any, stale: bool) -> Response[Any]:
    return Response(body, headers=PERSONAL | STALE if stale else PERSONAL)
