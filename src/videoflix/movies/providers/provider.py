"""What a provider of movies is: another one is a file like november7.py, and a line of registry."""

from typing import Protocol
from uuid import UUID

from videoflix.movies.schemas import Movie, MoviePage


class ProviderFailed(Exception):
    """The provider does not answer, or not what was agreed; `retry_after` counts seconds."""

    def __init__(self, reason: str, retry_after: float = 5.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class QueryRejected(Exception):
    """The provider works, and does not accept this query."""


class Provider(Protocol):
    """Where movies come from. Both questions raise ProviderFailed; `search` also QueryRejected.

    With a `name`, answers are equal for everybody and cost enough to be remembered under it;
    without one they are for who asks.
    """

    name: str | None

    async def search(self, query: str, page: int) -> MoviePage:
        """The movies of a page, counted from 1; none when there is no such page."""
        ...

    async def movie(self, movie_id: UUID) -> Movie | None:
        """One movie, if the provider knows it."""
        ...
