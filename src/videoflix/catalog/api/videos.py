"""Videos over HTTP: lists, search, details and live events."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, ClassVar

import msgspec
from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, Response, get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, PathParameter, QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from videoflix.catalog.api.response_cache import cache_response, cached_response
from videoflix.catalog.models import VideoState
from videoflix.catalog.repository.filters import Filters
from videoflix.catalog.schemas import (
    Ordering,
    Publication,
    Suggestion,
    VideoPage,
    VideoRead,
)
from videoflix.catalog.service.browse import (
    OFFSET_MAX,
    Browse,
    CategoryNotFound,
    CursorInvalid,
    OffsetTooLarge,
)
from videoflix.catalog.service.catalog import PROGRESS, Catalog, VideoNotFound, topic_for
from videoflix.catalog.video_detail import VideoDetail
from videoflix.platform.auth.identity import CurrentUser, Identity, signed_in
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
from videoflix.platform.postgres.notify import event_bus
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import InvalidInput, problems
from videoflix.platform.server.shutdown import RECONNECT_MS, shutdown
from videoflix.profiles.schemas import Viewer
from videoflix.profiles.service import VIEWER_PROBLEMS, current_viewer

HEARTBEAT_SECONDS = 15.0

SearchWords = Annotated[
    str,
    QueryParameter(max_length=200, pattern=r"^[^\x00]*$", description="Search terms."),
]
Typed = Annotated[
    str,
    QueryParameter(
        min_length=1, max_length=100, pattern=r"^[^\x00]*$", description="The text typed so far."
    ),
]
CategoryNamed = Annotated[
    str | None,
    QueryParameter(
        max_length=120, pattern=r"^[A-Za-z0-9_-]+(?!\n)$", description="Slug or id of a category."
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
        description="`next_cursor` of the previous page; empty for the first page.",
    ),
]
After = Annotated[
    str | None, QueryParameter(schema_extra={"format": "date-time", **SCHEMA_OF_YEARS})
]
# Litestar reserves the name `state`.
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
        description="How many items to skip; to go further, follow `next_cursor`.",
    ),
]
Slug = Annotated[str, PathParameter(max_length=120, pattern=r"^[a-z0-9-]+(?!\n)$")]
ETAG = [
    ResponseHeader(
        name="ETag",
        description="Changes with the content of the response.",
        documentation_only=True,
    )
]


class CursorWithSearch(InvalidInput):
    """Search results have no cursor: use `offset` instead."""

    slug: ClassVar[str] = "cursor-of-search"


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
    """Parse the filters of the query string; `state` and `publication` are for editors."""
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
        "browse": service(Browse),
        "filters": Provide(provide_filters, sync_to_thread=False),
    }

    @get(
        summary="List and search videos",
        before_request=cached_response,
        response_headers=ETAG,
        responses=problems(*VIEWER_PROBLEMS, CategoryNotFound, CursorInvalid, OffsetTooLarge),
    )
    async def list_videos(
        self,
        request: Request[Any, Any, Any],
        browse: NamedDependency[Browse],
        filters: NamedDependency[Filters],
        search: SearchWords = "",
        ordering: OrderedBy = "newest",
        cursor: CursorText = None,
        limit: Limit = 20,
        offset: ListOffset = 0,
    ) -> Response[VideoPage]:
        """List videos, newest first: viewers see published ones, editors all.

        `search` matches titles, people, tags, descriptions and subtitles, ordered by rank. Clients
        that read the whole list should follow `cursor` (keyset pagination).
        """
        page = LimitOffset(limit, offset)
        order = one_of(Ordering, "ordering", ordering) or Ordering.NEWEST

        async def make(viewer: Viewer) -> VideoPage:
            if search.strip():
                if cursor is not None:
                    raise CursorWithSearch
                return await browse.search_videos(viewer, search, filters, page)
            if cursor is not None:
                return await browse.next_page(viewer, filters, order, cursor, limit)
            return await browse.page(viewer, filters, order, page)

        return await cache_response(request, make)

    @get(
        "/newest",
        summary="List the newest videos",
        before_request=cached_response,
        responses=problems(*VIEWER_PROBLEMS),
    )
    async def list_newest(
        self,
        request: Request[Any, Any, Any],
        browse: NamedDependency[Browse],
        limit: Limit = 10,
    ) -> Response[VideoPage]:
        """List the newest videos."""
        page = LimitOffset(limit, 0)
        return await cache_response(
            request, lambda who: browse.page(who, Filters(), Ordering.NEWEST, page)
        )

    @get(
        "/featured",
        summary="List featured videos",
        before_request=cached_response,
        responses=problems(*VIEWER_PROBLEMS),
    )
    async def list_featured(
        self,
        request: Request[Any, Any, Any],
        browse: NamedDependency[Browse],
        limit: Limit = 10,
    ) -> Response[VideoPage]:
        """List the videos that editors feature on the home page, newest first."""
        page, featured = LimitOffset(limit, 0), Filters(featured=True)
        return await cache_response(
            request, lambda who: browse.page(who, featured, Ordering.NEWEST, page)
        )

    @get(
        "/suggest",
        summary="Suggest titles",
        before_request=cached_response,
        responses=problems(*VIEWER_PROBLEMS),
    )
    async def suggest(
        self,
        request: Request[Any, Any, Any],
        browse: NamedDependency[Browse],
        q: Typed,
        limit: Limit = 10,
    ) -> Response[list[Suggestion]]:
        """Suggest titles for a prefix: titles that start with it, then titles with such a word."""
        return await cache_response(request, lambda who: browse.suggest(who, q.strip(), limit))

    @get(
        "/{video_id:int}",
        summary="Show a video",
        before_request=cached_response,
        response_headers=ETAG,
        responses=problems(*VIEWER_PROBLEMS, VideoNotFound),
    )
    async def show_video(
        self, request: Request[Any, Any, Any], catalog: NamedDependency[Catalog], video_id: Id
    ) -> Response[VideoDetail]:
        """Show a video with its state, its progress, and the reason if it failed."""
        return await cache_response(request, lambda who: catalog.read(who, video_id))

    @get(
        "/by-slug/{slug:str}",
        summary="Show a video by its slug",
        before_request=cached_response,
        responses=problems(*VIEWER_PROBLEMS, VideoNotFound),
    )
    async def show_by_slug(
        self, request: Request[Any, Any, Any], catalog: NamedDependency[Catalog], slug: Slug
    ) -> Response[VideoDetail]:
        """Show a video by its slug."""
        return await cache_response(request, lambda who: catalog.by_slug(who, slug))

    @get(
        "/{video_id:int}/related",
        summary="List related videos",
        before_request=cached_response,
        responses=problems(*VIEWER_PROBLEMS, VideoNotFound),
    )
    async def list_related(
        self,
        request: Request[Any, Any, Any],
        browse: NamedDependency[Browse],
        video_id: Id,
        limit: Limit = 10,
    ) -> Response[list[VideoRead]]:
        """List videos with the most similar tags, author, genre and categories."""
        return await cache_response(request, lambda who: browse.related(who, video_id, limit))

    @get(
        "/{video_id:int}/events",
        summary="Follow a video (server-sent events)",
        responses=problems(*VIEWER_PROBLEMS, VideoNotFound),
    )
    async def follow_video(self, user: CurrentUser, video_id: Id) -> ServerSentEvent:
        """Stream a `video` event at once and after each change, until processing has ended."""
        await _read(user, video_id)
        return ServerSentEvent(_changes(user, video_id))


async def _changes(identity: Identity, video_id: int) -> AsyncGenerator[ServerSentEventMessage]:
    with event_bus.subscribe(topic_for(video_id), f"{PROGRESS}{video_id}") as changed:
        while True:
            changed.clear()
            try:
                video = await _read(identity, video_id)
            except VideoNotFound:
                return
            yield ServerSentEventMessage(
                event="video", data=msgspec.json.encode(video).decode(), retry=RECONNECT_MS
            )
            if video.state is not VideoState.PROCESSING:
                return
            while not await shutdown.wait_for(changed, HEARTBEAT_SECONDS):
                if shutdown.has_begun:
                    return  # clients reconnect to another process
                yield ServerSentEventMessage(data=None, comment="keep-alive")


async def _read(identity: Identity, video_id: int) -> VideoDetail:
    viewer = await current_viewer(identity)
    async with transaction() as session:
        return await Catalog(session).read(viewer, video_id)
