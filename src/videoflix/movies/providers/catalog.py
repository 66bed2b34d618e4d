"""Our own catalogue as a provider, restricted to what the viewer can see.

Movies have UUIDs and videos have integer ids, so an id is encoded as a UUID of version 8
(RFC 9562, section 5.8): the six letters `vidflx`, version and variant, and the id in the last 62
bits. The mapping is stable and reversible.
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
    """The videos that the viewer can see, as movies."""

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
        """Search, or list the newest without a query. Raises OffsetTooLarge."""
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
    """Encode a video's id as a UUID."""
    return UUID(int=PREFIX << NUMBER_BITS | video_id)


def video_id_of(movie_id: UUID) -> int | None:
    """Decode a video's id; None if the UUID is not one of ours."""
    if movie_id.int >> NUMBER_BITS != PREFIX:
        return None
    return movie_id.int & ((1 << NUMBER_BITS) - 1)


def movie_of(video: VideoRead) -> Movie:
    """Convert a video; its rating is the share of upvotes times ten."""
    votes = video.upvotes + video.downvotes
    return Movie(
        id=movie_id_of(video.id),
        title=video.title,
        description=video.description,
        image_url=video.poster_url,
        rating=round(10 * video.upvotes / votes, 1) if votes else 0.0,
    )
