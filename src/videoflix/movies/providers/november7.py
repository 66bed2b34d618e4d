"""November 7, a provider with one route: `GET /movies/?skip=0&limit=10&query=text`."""

import asyncio
from typing import Annotated
from uuid import UUID

import msgspec

from videoflix.movies.http_client import ProviderClient, ProviderUnavailable, RequestRejected
from videoflix.movies.providers.provider import ProviderFailed, QueryRejected
from videoflix.movies.schemas import PAGE_SIZE, Movie, MoviePage
from videoflix.platform.cache.ttl import TtlCache
from videoflix.platform.http.params import BIGINT_MAX

PATH = "/movies/"
# The maximum page size of the API, and how many movies are indexed for lookups by id.
LISTED = 1_000
READ_MAX = 5_000
INDEX_SECONDS = 15 * 60.0


class Item(msgspec.Struct):
    """A movie on the wire; earlier versions had only ids and titles."""

    id: UUID
    title: str
    description: str | None = None
    image_url: str | None = None
    rating: float | None = None

    def movie(self) -> Movie:
        """Convert to a Movie; images without an HTTP URL are dropped."""
        image = self.image_url
        return Movie(
            id=self.id,
            title=self.title,
            description=self.description or "",
            image_url=image if image and image.startswith(("https://", "http://")) else None,
            rating=self.rating or 0.0,
        )


class Items(msgspec.Struct):
    """A page of a list."""

    total: Annotated[int, msgspec.Meta(ge=0, le=BIGINT_MAX)]
    items: list[Item]


class November7:
    """Queries pages; single movies come from an index of the list, cached for INDEX_SECONDS."""

    def __init__(self, url: str, api: ProviderClient) -> None:
        self.name: str | None = f"november7 {url}"
        self._api = api
        self._index: TtlCache[str, dict[UUID, Movie]] = TtlCache("movie lists", 1, INDEX_SECONDS)
        self._reading = asyncio.Lock()

    async def search(self, query: str, page: int) -> MoviePage:
        found = await self._list((page - 1) * PAGE_SIZE, PAGE_SIZE, query)
        return MoviePage(found.total, [item.movie() for item in found.items[:PAGE_SIZE]])

    async def movie(self, movie_id: UUID) -> Movie | None:
        try:
            async with asyncio.timeout(self._api.seconds), self._reading:
                index = self._index.get(PATH)
                if index is None:
                    index = self._index[PATH] = await self._read()
        except TimeoutError as error:
            raise ProviderFailed("the list took too long to read") from error
        return index.get(movie_id)

    async def close(self) -> None:
        await self._api.close()

    async def _read(self) -> dict[UUID, Movie]:
        """Read the first READ_MAX movies of the list."""
        index: dict[UUID, Movie] = {}
        for skip in range(0, READ_MAX, LISTED):
            found = await self._list(skip, LISTED)
            index |= {item.id: item.movie() for item in found.items}
            if skip + LISTED >= found.total or not found.items:
                break
        return index

    async def _list(self, skip: int, limit: int, query: str = "") -> Items:
        params: dict[str, str | int] = {"skip": skip, "limit": limit}
        if query:
            params["query"] = query
        try:
            return await self._api.get(PATH, params, Items)
        except RequestRejected as error:
            raise QueryRejected from error
        except ProviderUnavailable as error:
            raise ProviderFailed(str(error), error.retry_after) from error


def connect(url: str, *, seconds: float, in_flight: int) -> November7:
    """The provider at an address, with a client of its own."""
    return November7(url, ProviderClient(url, seconds=seconds, in_flight=in_flight))
