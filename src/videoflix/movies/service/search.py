"""Search movies at the selected provider. Call it outside of a transaction."""

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple
from uuid import UUID

from videoflix.movies.providers.provider import Provider, ProviderFailed, QueryRejected
from videoflix.movies.providers.registry import provider_for
from videoflix.movies.schemas import PAGE_SIZE, Movie, MoviePage
from videoflix.movies.service.answer_cache import CachedAnswer, answer_cache
from videoflix.platform.problems import InvalidInput, NotFound, Unavailable
from videoflix.profiles.schemas import Viewer


class MovieNotFound(NotFound):
    """The movie doesn't exist."""


class InvalidPage(InvalidInput):
    """The page doesn't exist."""

    slug: ClassVar[str] = "page-invalid"


class MovieQueryRejected(InvalidInput):
    """The movie provider rejected this query."""

    slug: ClassVar[str] = "movie-query-refused"


class MoviesProviderUnavailable(Unavailable):
    """The movie provider is unavailable. Try again in a moment."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, math.ceil(seconds))
        super().__init__()

    def response_headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.seconds)}


class SearchResult(NamedTuple):
    """A page of results; `stale` if it is an expired cache entry."""

    page: MoviePage
    stale: bool


async def search(viewer: Viewer, query: str, page: int) -> SearchResult:
    """Return a page of search results.

    Raises InvalidPage, MovieQueryRejected or MoviesProviderUnavailable.
    """
    provider, query = provider_for(viewer), query.strip()
    try:
        found = await _search(provider, query, page)
    except ProviderFailed as error:
        raise MoviesProviderUnavailable(error.retry_after) from error
    except QueryRejected as error:
        raise MovieQueryRejected from error
    if page > 1 and (page - 1) * PAGE_SIZE >= found.page.total:
        raise InvalidPage
    return found


async def movie(viewer: Viewer, movie_id: UUID) -> tuple[Movie, bool]:
    """Get a movie, and whether it is stale. Raises MovieNotFound or MoviesProviderUnavailable."""
    provider = provider_for(viewer)
    try:
        found, stale = await _movie(provider, movie_id)
    except ProviderFailed as error:
        raise MoviesProviderUnavailable(error.retry_after) from error
    if found is None:
        raise MovieNotFound
    return found, stale


async def _search(provider: Provider, query: str, page: int) -> SearchResult:
    if provider.name is None:
        return SearchResult(await provider.search(query, page), stale=False)
    name = provider.name
    question = f"{name} search {page} {query}"

    async def fetch() -> Mapping[str, object]:
        answer = await provider.search(query, page)
        # Cache the found movies as well, so that they can be opened during an outage.
        return {question: answer} | {_movie_query(name, one.id): one for one in answer.items}

    found: CachedAnswer = await answer_cache.get_or_fetch(question, MoviePage, fetch)
    return SearchResult(found.value, not found.is_fresh)


async def _movie(provider: Provider, movie_id: UUID) -> tuple[Movie | None, bool]:
    if provider.name is None:
        return await provider.movie(movie_id), False
    question = _movie_query(provider.name, movie_id)

    async def fetch() -> Mapping[str, object]:
        return {question: await provider.movie(movie_id)}

    found: CachedAnswer = await answer_cache.get_or_fetch(question, Movie | None, fetch)
    return found.value, not found.is_fresh


def _movie_query(name: str, movie_id: UUID) -> str:
    return f"{name} movie {movie_id}"
