"""The interface of providers. To add one, write a module like november7.py and register it."""

from typing import Protocol
from uuid import UUID

from videoflix.movies.schemas import Movie, MoviePage


class ProviderFailed(Exception):
    """The provider is unavailable or sent an invalid response; `retry_after` is in seconds."""

    def __init__(self, reason: str, retry_after: float = 5.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class QueryRejected(Exception):
    """The provider rejected the query."""


class Provider(Protocol):
    """A source of movies. Both methods raise ProviderFailed; `search` also QueryRejected.

    With a `name`, responses do not depend on the user and are cached under it; without one, they
    are not cached.
    """

    name: str | None

    async def search(self, query: str, page: int) -> MoviePage:
        """Return a page, counted from 1; without items if it does not exist."""
        ...

    async def movie(self, movie_id: UUID) -> Movie | None:
        """Return a movie, if it exists."""
        ...


class RemoteProvider(Provider, Protocol):
    """A provider that keeps connections."""

    async def close(self) -> None: ...
