"""Our own catalogue as a provider: what the viewer may see, and nothing else.

Movies have UUIDs and films have numbers, so a film's number is written into a UUID of version 8
(RFC 9562, section 5.8): the six letters `vidflx`, version and variant, and the number in the last
62 bits. It stays as long as the film does, and leads back to it.
"""

from uuid import UUID

from advanced_alchemy.filters import LimitOffset

from videoflix.catalog.schemas import Ordering, VideoRead
from videoflix.catalog.service import Browse, Catalog, Filters, VideoNotFound
from videoflix.movies.schemas import PAGE_SIZE, Movie, MoviePage
from videoflix.platform.postgres.session import transaction
from videoflix.profiles.schemas import Viewer

NUMBER_BITS = 62
PREFIX = (int.from_bytes(b"vidflx") << 80 | 8 << 76 | 0b10 << 62) >> NUMBER_BITS


class CatalogProvider:
    """The films that this viewer may see, as movies."""

    name: str | None = None

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer

    async def search(self, query: str, page: int) -> MoviePage:
        return await self.listed((page - 1) * PAGE_SIZE, PAGE_SIZE, query)

    async def movie(self, movie_id: UUID) -> Movie | None:
        number = video_id_of(movie_id)
        if number is None:
            return None
        try:
            async with transaction() as session:
                return movie_of(await Catalog(session).read(self.viewer, number))
        except VideoNotFound:
            return None

    async def listed(self, skip: int, limit: int, query: str = "") -> MoviePage:
        """Films that match best, or without a query the newest. Raises OffsetTooLarge."""
        part = LimitOffset(limit, skip)
        async with transaction() as session:
            browse = Browse(session)
            if query:
                found = await browse.search_videos(self.viewer, query, Filters(), part)
                total = found.total or 0
                if skip and not found.items:
                    first = LimitOffset(1, 0)
                    total = (
                        await browse.search_videos(self.viewer, query, Filters(), first)
                    ).total or 0
            else:
                found = await browse.page(self.viewer, Filters(), Ordering.NEWEST, part)
                total = await browse.count(self.viewer)
        return MoviePage(total, [movie_of(film) for film in found.items])


def movie_id_of(video_id: int) -> UUID:
    """The UUID of a film."""
    return UUID(int=PREFIX << NUMBER_BITS | video_id)


def video_id_of(movie_id: UUID) -> int | None:
    """The film that a UUID was made for; None if it was made elsewhere."""
    if movie_id.int >> NUMBER_BITS != PREFIX:
        return None
    return movie_id.int & ((1 << NUMBER_BITS) - 1)


def movie_of(video: VideoRead) -> Movie:
    """A film as a movie; its rating is the share of upvotes, of ten."""
    votes = video.upvotes + video.downvotes
    return Movie(
        id=movie_id_of(video.id),
        title=video.title,
        description=video.description,
        image_url=video.poster_url,
        rating=round(10 * video.upvotes / votes, 1) if votes else 0.0,
    )
