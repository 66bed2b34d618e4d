"""`/api/videos/` and `/api/`, which the front ends of `netiflex` and `authemail` share."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.datastructures import MultiDict, ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.status_codes import HTTP_201_CREATED, HTTP_404_NOT_FOUND
from msgspec import UNSET, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.schemas import Description, VideoCreate, VideoRead, VideoUpdate
from videoflix.catalog.service import Browse, Catalog, Filters, VideoNotFound
from videoflix.catalog.service.editing import Editing
from videoflix.compat.basic_auth import BasicAuthMiddleware, admins_only, token_needed
from videoflix.compat.dialect import NONE
from videoflix.compat.drf.errors import DrfError, field_error
from videoflix.compat.drf.parsing import read_fields
from videoflix.compat.video_object import (
    GENRES,
    LANGUAGES,
    SerializerContext,
    genre_of,
    language_of,
    serialize_videos,
)
from videoflix.compat.video_requests import (
    LIST_MAX,
    create_video,
    list_videos,
    parse_id,
    read_video_form,
)
from videoflix.media.service import Media
from videoflix.platform.http.params import BIGINT_MAX, service
from videoflix.platform.http.urls import absolute
from videoflix.platform.postgres.session import transaction
from videoflix.platform.rate_limit.middleware import UPLOAD
from videoflix.profiles.schemas import Viewer, unrestricted_viewer
from videoflix.profiles.service import current_viewer
from videoflix.settings import settings

# Names below /api, by dialect.
LISTS = {
    "academy": ("categories", "history", "user", "video", "watchlist", "watchlist-entries"),
    "authemail": ("categories", "videos"),
    "netiflex": ("videos",),
}
RECENT = 5
WORDS_MAX = 200
BOOLEANS = {"1": True, "true": True, "0": False, "false": False}
ORDERINGS = ("uploaded_at", "updated_at")
UNKNOWN_LANGUAGE = "und"  # ISO 639-2
CODES = {word: code for code, word in LANGUAGES.items()}
# These responses contain signed URLs of one user.
PRIVATE = [ResponseHeader(name="Cache-Control", value="private, no-cache")]

Short = Annotated[str, msgspec.Meta(min_length=1, max_length=150, pattern=r"^[^\x00\r\n]*$")]
Genre = Literal["", "documentary", "action", "horror", "drama", "technic"] | None
Language = Literal["", "french", "english", "german"] | None


class VideoFields(msgspec.Struct):
    title: Short | UnsetType = UNSET
    author: Short | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    genre: Genre | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    is_favorite: bool | UnsetType = UNSET

    def change(self) -> VideoUpdate:
        return VideoUpdate(
            title=self.title,
            author=self.author,
            description=self.description,
            genre=self.genre if self.genre is UNSET else self.genre or "",
            language=UNSET
            if self.language is UNSET
            else CODES.get(self.language or "", UNKNOWN_LANGUAGE),
            featured=self.is_favorite,
        )


class VideoForm(VideoFields, kw_only=True):
    title: Short
    author: Short


class VideosController(Controller):
    path = "/api/videos"
    guards = (token_needed,)
    middleware = (BasicAuthMiddleware(),)
    response_headers = PRIVATE
    dependencies = {
        "catalog": service(Catalog),
        "browse": service(Browse),
        "editing": service(Editing),
    }

    @get(opt={"canonical": "GET /api/v1/videos"})
    async def list_videos(
        self, request: Request[Any, Any, Any], browse: NamedDependency[Browse]
    ) -> list[dict[str, Any]]:
        """List all videos; `limit` and `page` are optional, as the older wire has no pagination."""
        asked = request.query_params
        viewer = await current_viewer(request.user)
        films = _matching(asked, await _search(browse, viewer, asked))
        return await serialize_videos(
            SerializerContext(request, browse.session, viewer), _page(asked, films)
        )

    @get("/recent_videos", opt={"canonical": "GET /api/v1/videos/newest"})
    async def list_recent(
        self,
        request: Request[Any, Any, Any],
        browse: NamedDependency[Browse],
        catalog: NamedDependency[Catalog],
    ) -> list[dict[str, Any]]:
        viewer = await current_viewer(request.user)
        excluded = await _excluded(request.query_params.get("to_exclude_id"), catalog, viewer)
        films = await list_videos(browse, viewer, Filters(), RECENT + 1)
        recent = [film for film in films if film.id != excluded][:RECENT]
        return await serialize_videos(SerializerContext(request, browse.session, viewer), recent)

    @get("/categorized_videos", opt={"canonical": "GET /api/v1/videos"})
    async def list_by_genre(
        self, request: Request[Any, Any, Any], browse: NamedDependency[Browse]
    ) -> dict[str, list[dict[str, Any]]]:
        viewer = await current_viewer(request.user)
        films = await list_videos(browse, viewer, Filters(), LIST_MAX)
        known = [film for film in films if genre_of(film) in GENRES]
        objects = await serialize_videos(SerializerContext(request, browse.session, viewer), known)
        return {genre: [one for one in objects if one["genre"] == genre] for genre in GENRES}

    @get("/{video_id:str}", opt={"canonical": "GET /api/v1/videos/{video_id}"})
    async def show_video(
        self,
        request: Request[Any, Any, Any],
        catalog: NamedDependency[Catalog],
        video_id: FromPath[str],
    ) -> dict[str, Any]:
        viewer = await current_viewer(request.user)
        film = await catalog.read(viewer, parse_id(video_id))
        return (
            await serialize_videos(SerializerContext(request, catalog.session, viewer), [film])
        )[0]

    @post(
        guards=[admins_only],
        request_max_body_size=None,
        opt={"canonical": "POST /api/v1/videos", **UPLOAD},
    )
    async def add_video(self, request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
        form = await read_video_form(request)
        async with create_video(form) as file:
            change = read_fields(dict(form.fields), VideoForm).change()
            said = {
                name: value
                for name, value in msgspec.structs.asdict(change).items()
                if value is not UNSET
            }
            draft = msgspec.convert({"language": UNKNOWN_LANGUAGE} | said, VideoCreate)
            async with transaction() as session:
                if file:
                    video = await Media(session).accept(draft, file, request.user.user_id)
                else:
                    video = await Catalog(session).add(draft, request.user.user_id)
                body = await _shown_to_admin(request, session, video.id)
        return Response(body, status_code=HTTP_201_CREATED)

    @put(
        "/{video_id:str}",
        guards=[admins_only],
        request_max_body_size=None,
        opt={"canonical": "PATCH /api/v1/videos/{video_id}", **UPLOAD},
    )
    async def put_video(
        self, request: Request[Any, Any, Any], video_id: FromPath[str]
    ) -> dict[str, Any]:
        return await _change(request, parse_id(video_id), VideoForm)

    @patch(
        "/{video_id:str}",
        guards=[admins_only],
        request_max_body_size=None,
        opt={"canonical": "PATCH /api/v1/videos/{video_id}", **UPLOAD},
    )
    async def change_video(
        self, request: Request[Any, Any, Any], video_id: FromPath[str]
    ) -> dict[str, Any]:
        return await _change(request, parse_id(video_id), VideoFields)

    @delete(
        "/{video_id:str}",
        guards=[admins_only],
        opt={"canonical": "DELETE /api/v1/videos/{video_id}"},
    )
    async def delete_video(
        self, editing: NamedDependency[Editing], video_id: FromPath[str]
    ) -> None:
        await editing.delete(parse_id(video_id))


class RootController(Controller):
    path = "/api"
    guards = (token_needed,)
    middleware = (BasicAuthMiddleware(),)

    @get(opt={"canonical": NONE})
    async def list_routes(self) -> dict[str, str | None]:
        """Links to the lists of the dialects that are switched on."""
        enabled = [LISTS.get(name, ()) for name in settings.dialect_names]
        names = dict.fromkeys(name for lists in enabled for name in lists)
        return {name: absolute(f"/api/{name}/") for name in sorted(names)}


async def _search(browse: Browse, viewer: Viewer, asked: MultiDict[str]) -> list[VideoRead]:
    """Query videos by the filters the database supports, newest first."""
    filters = Filters(
        featured=BOOLEANS.get(asked.get("is_favorite", "").lower()),
        uploaded_by=_number(asked, "uploaded_by"),
        created_after=_moment(asked, "uploaded_at"),
    )
    words = asked.get("search", "").replace("\x00", "")[:WORDS_MAX].strip()
    if not words:
        return await list_videos(browse, viewer, filters, LIST_MAX)
    page = await browse.search_videos(viewer, words, filters, LimitOffset(LIST_MAX, 0))
    return sorted(page.items, key=lambda film: film.created_at, reverse=True)


def _matching(asked: MultiDict[str], films: list[VideoRead]) -> list[VideoRead]:
    """Apply the filters that depend on older values, and the requested order."""
    genre, language = asked.get("genre"), asked.get("language")
    since = _moment(asked, "updated_at")
    found = [
        film
        for film in films
        if (not genre or genre_of(film) == genre)
        and (not language or language_of(film) == language)
        and (since is None or film.updated_at >= since)
    ]
    for name in asked.get("ordering", "").split(","):
        if name.strip().removeprefix("-") in ORDERINGS:
            field = name.strip().removeprefix("-").replace("uploaded", "created")
            down = name.strip().startswith("-")
            return sorted(found, key=lambda film: (getattr(film, field), film.id), reverse=down)
    return found


def _page(asked: MultiDict[str], films: list[VideoRead]) -> list[VideoRead]:
    size, page = (asked.get(name, "") for name in ("limit", "page"))
    if not (size.isascii() and size.isdigit() and 0 < int(size[:6]) <= LIST_MAX):
        return films
    number = int(page[:6]) if page.isascii() and page.isdigit() else 1
    start = max(0, number - 1) * int(size[:6])
    return films[start : start + int(size[:6])]


def _number(asked: MultiDict[str], name: str) -> int | None:
    """Parse a number; too large ones match nothing. Raises DrfError."""
    value = asked.get(name, "").strip()
    if not value:
        return None
    try:
        return min(max(int(value), 0), BIGINT_MAX)
    except ValueError as error:
        raise field_error(name, "Enter a number.") from error


def _moment(asked: MultiDict[str], name: str) -> datetime | None:
    """Parse a time. Raises DrfError."""
    value = asked.get(name, "").strip()
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise field_error(name, "Enter a valid date/time.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _excluded(value: str | None, catalog: Catalog, viewer: Viewer) -> int | None:
    """The video to exclude. Raises DrfError if it is not the id of a video."""
    if not value:
        return None
    if not (value.isascii() and value.isdigit()):
        raise field_error("to_exclude_id", "A valid integer is required.")
    try:
        return (await catalog.video(viewer, min(int(value[:20]), BIGINT_MAX))).id
    except VideoNotFound as error:
        raise DrfError({"detail": "Model does not exist"}, HTTP_404_NOT_FOUND) from error


async def _change(
    request: Request[Any, Any, Any], video_id: int, kind: type[VideoFields]
) -> dict[str, Any]:
    """Update a video; omitted fields stay unchanged, a file replaces the current one."""
    form = await read_video_form(request)
    async with create_video(form) as file:
        change = read_fields(dict(form.fields), kind).change()
        async with transaction() as session:
            await Editing(session).change(video_id, change)
            if file:
                await Media(session).replace(video_id, file)
            return await _shown_to_admin(request, session, video_id)


async def _shown_to_admin(
    request: Request[Any, Any, Any], session: AsyncSession, video_id: int
) -> dict[str, Any]:
    viewer = unrestricted_viewer(request.user)
    film = await Catalog(session).read(viewer, video_id)
    return (await serialize_videos(SerializerContext(request, session, viewer), [film]))[0]
