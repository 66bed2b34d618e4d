"""Posters in the sizes that pages need, and animated previews, over HTTP."""

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

from litestar import Controller, Request, Response, route
from litestar.datastructures import ResponseHeader
from litestar.params import QueryParameter

from videoflix.catalog.models import Video
from videoflix.catalog.service import Catalog, VideoNotFound
from videoflix.platform.http.params import Id, names_of, one_of
from videoflix.platform.http.preferences import accepts
from videoflix.platform.pictures.sizes import WIDTHS, fitting, sized_key
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Unauthorized, problems
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.platform.storage.media_storage import media_storage
from videoflix.playback.api.playback import FOR_EVER, READ
from videoflix.playback.service.segments import StreamNotFound
from videoflix.profiles.schemas import ANONYMOUS
from videoflix.profiles.service import current_viewer
from videoflix.settings import settings

JPEG, WEBP = "image/jpeg", "image/webp"
# Without the version in its URL, a poster is revalidated: it may be replaced.
REVALIDATED = {"Cache-Control": "private, no-cache"}


class PosterWidth(StrEnum):
    """A width in pixels."""

    SMALL, MEDIUM, LARGE, LARGEST = map(str, WIDTHS)


Width = Annotated[
    str | None,
    QueryParameter(
        description="Width in pixels; a smaller poster is not enlarged. Without it, the JPEG file.",
        schema_extra=names_of(PosterWidth),
    ),
]
Version = Annotated[
    str, QueryParameter(max_length=100, description="Version of the poster, from its URL.")
]
HEADERS = [
    ResponseHeader(name="ETag", description="Changes with the picture.", documentation_only=True),
    ResponseHeader(name="Vary", description="`Accept`, for a width.", documentation_only=True),
]


class PosterController(Controller):
    path = "/videos/{video_id:int}"
    tags = ("Playback",)

    @route(
        "/poster.jpg",
        http_method=READ,
        opt=UNLIMITED,
        summary="Get the poster",
        media_type="image/*",
        response_headers=HEADERS,
        responses=problems(Unauthorized, VideoNotFound, StreamNotFound),
    )
    async def show_poster(
        self,
        request: Request[Any, Any, Any],
        video_id: Id,
        w: Width = None,
        v: Version = "",
    ) -> Response[bytes]:
        """Return the poster; without signing in, only of videos for everyone.

        With a width, clients whose `Accept` lists `image/webp` receive WebP of that width, and
        others the JPEG file.
        """
        width = one_of(PosterWidth, "w", w)
        video = await _visible(request, video_id)
        if video.poster is None:
            raise StreamNotFound
        headers = _caching(video.poster, v)
        if width is not None:
            headers["Vary"] = "Accept"
        key, kind = video.poster, JPEG
        size = fitting(video.poster_widths, int(width)) if width else None
        if size is not None and accepts(request.headers.get("accept", ""), WEBP):
            key, kind = sized_key(video.poster, size), WEBP
        return await _picture(request, key, kind, headers)

    @route(
        "/preview.webp",
        http_method=READ,
        opt=UNLIMITED,
        summary="Get the animated preview",
        media_type=WEBP,
        response_headers=HEADERS[:1],
        responses=problems(Unauthorized, VideoNotFound, StreamNotFound),
    )
    async def show_preview(
        self, request: Request[Any, Any, Any], video_id: Id, v: Version = ""
    ) -> Response[bytes]:
        """Return some moments of the video as an animation; who may is as for the poster."""
        video = await _visible(request, video_id)
        if video.preview is None:
            raise StreamNotFound
        return await _picture(request, video.preview, WEBP, _caching(video.preview, v))


async def _visible(request: Request[Any, Any, Any], video_id: int) -> Video:
    """Raises Unauthorized or VideoNotFound."""
    if request.user is None and not settings.public_catalogue:
        raise Unauthorized
    viewer = await current_viewer(request.user) if request.user else ANONYMOUS
    async with transaction() as session:
        return await Catalog(session).video(viewer, video_id)


async def _picture(
    request: Request[Any, Any, Any], key: str, kind: str, headers: dict[str, str]
) -> Response[bytes]:
    """Send a picture, or 304 if the ETag matches. Raises StreamNotFound."""
    headers["ETag"] = etag = f'"{key.replace("/", "-")}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    try:
        data = await media_storage().read_all(key)
    except FileNotFoundError as error:
        raise StreamNotFound from error
    return Response(data, media_type=kind, headers=headers)


def _caching(key: str, version: str) -> dict[str, str]:
    """Cached for ever by the URL that has the version of the picture."""
    return dict(FOR_EVER if version == key.rsplit("/", 2)[-2] else REVALIDATED)
