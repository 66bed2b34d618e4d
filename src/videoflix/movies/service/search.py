"""Finding movies at the provider in force. Call it while no transaction is open."""

import math
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from videoflix.movies.providers.provider import Provider, ProviderFailed, QueryRefused
from videoflix.movies.providers.registry import provider_for
from videoflix.movies.schemas import PAGE_SIZE, Movie, MoviePage
from videoflix.movies.service.answer_cache import Remembered, memory
from videoflix.platform.problems import InvalidInput, NotFound, Unavailable
from videoflix.profiles.schemas import Viewing


class MovieNotFound(NotFound):
    """There is no such movie."""


class PageInvalid(InvalidInput):
    """There is no such page."""


class MovieQueryRefused(InvalidInput):
    """The provider of movies does not accept this query."""


class MoviesProviderUnavailable(Unavailable):
    """The provider of movies does not answer; try again in a moment."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, math.ceil(seconds))
        super().__init__()

    def answer_headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.seconds)}


class Found(NamedTuple):
    """A page of a search; `stale` when the provider could not be asked lately."""

    page: MoviePage
    stale: bool


async def search(viewing: Viewing, query: str, page: int) -> Found:
    """A page of the movies that match.

    Raises PageInvalid, MovieQueryRefused or MoviesProviderUnavailable.
    """
    provider, query = provider_for(viewing), query.strip()
    try:
        found = await _search(provider, query, page)
    except ProviderFailed as error:
        raise MoviesProviderUnavailable(error.retry_after) from error
    except QueryRefused as error:
        raise MovieQueryRefused from error
    if page > 1 and (page - 1) * PAGE_SIZE >= found.page.total:
        raise PageInvalid
    return found


async def movie(viewing: Viewing, movie_id: UUID) -> tuple[Movie, bool]:
    """A movie, and whether that is stale. Raises MovieNotFound or MoviesProviderUnavailable."""
    provider = provider_for(viewing)
    try:
        found, stale = await _movie(provider, movie_id)
    except ProviderFailed as error:
        raise MoviesProviderUnavailable(error.retry_after) from error
    if found is None:
        raise MovieNotFound
    return found, stale


async def _search(provider: Provider, query: str, page: int) -> Found:
    if provider.name is None:
        return Found(await provider.search(query, page), stale=False)
    name = provider.name
    question = f"{name} search {page} {query}"

    async def fetch() -> Mapping[str, object]:
        answer = await provider.search(query, page)
        # Whoever found a movie may want to see it, whether the provider still answers or not.
        return {question: answer} | {_about(name, one.id): one for one in answer.items}

    found: Remembered = await memory.recall(question, MoviePage, fetch)
    return Found(found.value, not found.is_fresh)


async def _movie(provider: Provider, movie_id: UUID) -> tuple[Movie | None, bool]:
    if provider.name is None:
        return await provider.movie(movie_id), False
    question = _about(provider.name, movie_id)

    async def fetch() -> Mapping[str, object]:
        return {question: await provider.movie(movie_id)}

    found: Remembered = await memory.recall(question, Movie | None, fetch)
    return found.value, not found.is_fresh


def _about(name: str, movie_id: UUID) -> str:
    return f"{name} movie {movie_id}"
