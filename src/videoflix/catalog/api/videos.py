"""Films over HTTP: lists, searching, single ones, and what happens to them."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

import msgspec
from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, Response, get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, PathParameter, QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from videoflix.catalog.api.response_cache import from_memory, remembered
from videoflix.catalog.models import VideoState
from videoflix.catalog.repository.visibility import Filters
from videoflix.catalog.schemas import (
    Ordering,
    Publication,
    Suggestion,
    Video,
    VideoPage,
)
from videoflix.catalog.service.browse import (
    OFFSET_MAX,
    CategoryNotFound,
    CursorRefused,
    OffsetTooLarge,
    Shelves,
)
from videoflix.catalog.service.catalog import PROGRESS, Catalog, VideoNotFound, topic_of
from videoflix.platform.auth.identity import Identity, signed_in
from videoflix.platform.http.params import (
    BIGINT_MAX,
    SCHEMA_OF_YEARS,
    Id,
    Limit,
    moment_of,
    names_of,
    one_of,
    service,
)
from videoflix.platform.postgres.notify import newsroom
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import InvalidInput, problems
from videoflix.platform.server.shutdown import RECONNECT_MS, shutdown
from videoflix.profiles.schemas import Viewing
from videoflix.profiles.service import WATCHING, viewing_of

HEARTBEAT_SECONDS = 15.0

Words = Annotated[
    str,
    QueryParameter(max_length=200, pattern=r"^[^\x00]*$", description="What to search for."),
]
Typed = Annotated[
    str,
    QueryParameter(
        min_length=1, max_length=100, pattern=r"^[^\x00]*$", description="What is typed so far."
    ),
]
CategoryNamed = Annotated[
    str | None,
    QueryParameter(
        max_length=120, pattern=r"^[A-Za-z0-9_-]+(?!\n)$", description="A category: slug or id."
    ),
]
GenreNamed = Annotated[str | None, QueryParameter(max_length=50, pattern=r"^[^\x00]*$")]
LanguageNamed = Annotated[
    str | None, QueryParameter(max_length=5, pattern=r"^[A-Za-z0-9_-]*(?!\n)$")
]
Year = Annotated[int | None, QueryParameter(ge=0, le=9999, schema_extra={"minimum": 0})]
Uploader = Annotated[int | None, QueryParameter(ge=1, le=BIGINT_MAX)]
CursorText = Annotated[
    str | None,
    QueryParameter(
        max_length=400,
        pattern=r"^[A-Za-z0-9_-]*(?!\n)$",
        description="Where to go on: `next_cursor` of the page before; empty for the first page.",
    ),
]
After = Annotated[
    str | None, QueryParameter(schema_extra={"format": "date-time", **SCHEMA_OF_YEARS})
]
# `state` is a name Litestar keeps for itself.
State = Annotated[
    str | None,
    QueryParameter(name="state", description="For editors.", schema_extra=names_of(VideoState)),
]
PublishedState = Annotated[
    str | None, QueryParameter(description="For editors.", schema_extra=names_of(Publication))
]
OrderedBy = Annotated[str, QueryParameter(schema_extra=names_of(Ordering))]
ListOffset = Annotated[
    int,
    QueryParameter(
        ge=0,
        le=BIGINT_MAX,
        schema_extra={"maximum": OFFSET_MAX},
        description="How many items to skip; beyond, follow `next_cursor`.",
    ),
]
Slug = Annotated[str, PathParameter(max_length=120, pattern=r"^[a-z0-9-]+(?!\n)$")]
ETAG = [
    ResponseHeader(name="ETag", description="Changes with the answer.", documentation_only=True)
]


class CursorOfSearch(InvalidInput):
    """What a search found has no cursor: use `offset`."""


def provide_filters(
    category: CategoryNamed = None,
    genre: GenreNamed = None,
    language: LanguageNamed = None,
    featured: FromQuery[bool | None] = None,
    year: Year = None,
    uploaded_by: Uploader = None,
    created_after: After = None,
    video_state: State = None,
    publication: PublishedState = None,
) -> Filters:
    """What the query string asks of films; the state of publication is for editors."""
    return Filters(
        category=category,
        genre=genre,
        language=language,
        featured=featured,
        year=year,
        uploaded_by=uploaded_by,
        created_after=moment_of("created_after", created_after),
        state=one_of(VideoState, "state", video_state),
        publication=one_of(Publication, "publication", publication),
    )


class VideoController(Controller):
    path = "/videos"
    tags = ("Catalogue",)
    guards = (signed_in,)
    dependencies = {
        "catalog": service(Catalog),
        "shelves": service(Shelves),
        "filters": Provide(provide_filters, sync_to_thread=False),
    }

    @get(
        summary="List and search films",
        before_request=from_memory,
        response_headers=ETAG,
        responses=problems(*WATCHING, CategoryNotFound, CursorRefused, OffsetTooLarge),
    )
    async def list_videos(
        self,
        request: Request[Any, Any, Any],
        shelves: NamedDependency[Shelves],
        filters: NamedDependency[Filters],
        search: Words = "",
        ordering: OrderedBy = "newest",
        cursor: CursorText = None,
        limit: Limit = 20,
        offset: ListOffset = 0,
    ) -> Response[VideoPage]:
        """List films, newest first: viewers see what is published, editors everything.

        `search` finds words in titles, people, tags, descriptions and subtitles, the best match
        first. Programs that read everything follow `cursor`.
        """
        page = LimitOffset(limit, offset)
        order = one_of(Ordering, "ordering", ordering) or Ordering.NEWEST

        async def make(viewing: Viewing) -> VideoPage:
            if search.strip():
                if cursor is not None:
                    raise CursorOfSearch
                return await shelves.found(viewing, search, filters, page)
            if cursor is not None:
                return await shelves.next_page(viewing, filters, order, cursor, limit)
            return await shelves.page(viewing, filters, order, page)

        return await remembered(request, make)

    @get(
        "/newest",
        summary="The newest films",
        before_request=from_memory,
        responses=problems(*WATCHING),
    )
    async def list_newest(
        self,
        request: Request[Any, Any, Any],
        shelves: NamedDependency[Shelves],
        limit: Limit = 10,
    ) -> Response[VideoPage]:
        """The newest films."""
        page = LimitOffset(limit, 0)
        return await remembered(
            request, lambda who: shelves.page(who, Filters(), Ordering.NEWEST, page)
        )

    @get(
        "/featured",
        summary="Featured films",
        before_request=from_memory,
        responses=problems(*WATCHING),
    )
    async def list_featured(
        self,
        request: Request[Any, Any, Any],
        shelves: NamedDependency[Shelves],
        limit: Limit = 10,
    ) -> Response[VideoPage]:
        """Films that editors chose for the front page, newest first."""
        page, featured = LimitOffset(limit, 0), Filters(featured=True)
        return await remembered(
            request, lambda who: shelves.page(who, featured, Ordering.NEWEST, page)
        )

    @get(
        "/suggest",
        summary="Suggest titles",
        before_request=from_memory,
        responses=problems(*WATCHING),
    )
    async def suggest(
        self,
        request: Request[Any, Any, Any],
        shelves: NamedDependency[Shelves],
        q: Typed,
        limit: Limit = 10,
    ) -> Response[list[Suggestion]]:
        """Titles for what is typed so far: those that begin so, then those with such a word."""
        return await remembered(request, lambda who: shelves.suggest(who, q.strip(), limit))

    @get(
        "/{video_id:int}",
        summary="Show a film",
        before_request=from_memory,
        response_headers=ETAG,
        responses=problems(*WATCHING, VideoNotFound),
    )
    async def show_video(
        self, request: Request[Any, Any, Any], catalog: NamedDependency[Catalog], video_id: Id
    ) -> Response[Video]:
        """Show one film: state, progress, and the reason if it failed."""
        return await remembered(request, lambda who: catalog.shown(who, video_id))

    @get(
        "/by-slug/{slug:str}",
        summary="Show a film by its slug",
        before_request=from_memory,
        responses=problems(*WATCHING, VideoNotFound),
    )
    async def show_by_slug(
        self, request: Request[Any, Any, Any], catalog: NamedDependency[Catalog], slug: Slug
    ) -> Response[Video]:
        """Show one film by the name in its address."""
        return await remembered(request, lambda who: catalog.by_slug(who, slug))

    @get(
        "/{video_id:int}/related",
        summary="Related films",
        before_request=from_memory,
        responses=problems(*WATCHING, VideoNotFound),
    )
    async def list_related(
        self,
        request: Request[Any, Any, Any],
        shelves: NamedDependency[Shelves],
        video_id: Id,
        limit: Limit = 10,
    ) -> Response[list[Video]]:
        """Films that share most with this one: tags, author, genre, categories."""
        return await remembered(request, lambda who: shelves.related(who, video_id, limit))

    @get(
        "/{video_id:int}/events",
        summary="Follow a film live",
        responses=problems(*WATCHING, VideoNotFound),
    )
    async def follow_video(self, request: Request[Any, Any, Any], video_id: Id) -> ServerSentEvent:
        """Follow a film live: an event `video` at once and at every change, until it is final."""
        await _read(request.user, video_id)
        return ServerSentEvent(_changes(request.user, video_id))


async def _changes(viewer: Identity, video_id: int) -> AsyncGenerator[ServerSentEventMessage]:
    with newsroom.subscribe(topic_of(video_id), f"{PROGRESS}{video_id}") as news:
        while True:
            news.clear()
            try:
                video = await _read(viewer, video_id)
            except VideoNotFound:
                return
            yield ServerSentEventMessage(
                event="video", data=msgspec.json.encode(video).decode(), retry=RECONNECT_MS
            )
            if video.state is not VideoState.PROCESSING:
                return
            while not await shutdown.wait_for(news, HEARTBEAT_SECONDS):
                if shutdown.has_begun:
                    return  # clients reconnect, to a process that stays
                yield ServerSentEventMessage(data=None, comment="still here")


async def _read(viewer: Identity, video_id: int) -> Video:
    viewing = await viewing_of(viewer)
    async with transaction() as session:
        return await Catalog(session).shown(viewing, video_id)
