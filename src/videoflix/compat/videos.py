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

from videoflix.catalog.schemas import Description, Video, VideoChange, VideoDraft
from videoflix.catalog.service import Catalog, Filters, Shelves, VideoNotFound
from videoflix.catalog.service.editing import Desk
from videoflix.compat.basic_auth import OlderSignIns, administrators, token_needed
from videoflix.compat.dialect import NONE
from videoflix.compat.drf.errors import Refusal, field_error
from videoflix.compat.drf.parsing import read_fields
from videoflix.compat.video_object import GENRES, LANGUAGES, Shelf, genre_of, language_of, shown
from videoflix.compat.video_requests import LIST_MAX, film_form, films_of, number, stored
from videoflix.media.service import Media
from videoflix.platform.http.params import BIGINT_MAX, service
from videoflix.platform.http.urls import absolute
from videoflix.platform.postgres.session import transaction
from videoflix.platform.rate_limit.middleware import UPLOAD
from videoflix.profiles.schemas import Viewing, unlimited
from videoflix.profiles.service import viewing_of

RECENT = 5
WORDS_MAX = 200
BOOLEANS = {"1": True, "true": True, "0": False, "false": False}
ORDERINGS = ("uploaded_at", "updated_at")
UNKNOWN_LANGUAGE = "und"  # ISO 639-2
CODES = {word: code for code, word in LANGUAGES.items()}
# These answers hold addresses for one person.
PRIVATE = [ResponseHeader(name="Cache-Control", value="private, no-cache")]

Short = Annotated[str, msgspec.Meta(min_length=1, max_length=150, pattern=r"^[^\x00\r\n]*$")]
Genre = Literal["", "documentary", "action", "horror", "drama", "technic"] | None
Language = Literal["", "french", "english", "german"] | None


class FilmFields(msgspec.Struct):
    title: Short | UnsetType = UNSET
    author: Short | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    genre: Genre | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    is_favorite: bool | UnsetType = UNSET

    def change(self) -> VideoChange:
        return VideoChange(
            title=self.title,
            author=self.author,
            description=self.description,
            genre=self.genre if self.genre is UNSET else self.genre or "",
            language=UNSET
            if self.language is UNSET
            else CODES.get(self.language or "", UNKNOWN_LANGUAGE),
            featured=self.is_favorite,
        )


class WholeFilm(FilmFields, kw_only=True):
    title: Short
    author: Short


class VideosController(Controller):
    path = "/api/videos"
    guards = (token_needed,)
    middleware = (OlderSignIns(),)
    response_headers = PRIVATE
    dependencies = {
        "catalog": service(Catalog),
        "shelves": service(Shelves),
        "desk": service(Desk),
    }

    @get(opt={"canonical": "GET /api/v1/videos"})
    async def list_videos(
        self, request: Request[Any, Any, Any], shelves: NamedDependency[Shelves]
    ) -> list[dict[str, Any]]:
        """All of them, as the older wire knows no pages; `limit` and `page` ask for some."""
        asked = request.query_params
        viewing = await viewing_of(request.user)
        films = _matching(asked, await _found(shelves, viewing, asked))
        return await shown(Shelf(request, shelves.session, viewing), _page(asked, films))

    @get("/recent_videos", opt={"canonical": "GET /api/v1/videos/newest"})
    async def list_recent(
        self,
        request: Request[Any, Any, Any],
        shelves: NamedDependency[Shelves],
        catalog: NamedDependency[Catalog],
    ) -> list[dict[str, Any]]:
        viewing = await viewing_of(request.user)
        excluded = await _excluded(request.query_params.get("to_exclude_id"), catalog, viewing)
        films = await films_of(shelves, viewing, Filters(), RECENT + 1)
        recent = [film for film in films if film.id != excluded][:RECENT]
        return await shown(Shelf(request, shelves.session, viewing), recent)

    @get("/categorized_videos", opt={"canonical": "GET /api/v1/videos"})
    async def list_by_genre(
        self, request: Request[Any, Any, Any], shelves: NamedDependency[Shelves]
    ) -> dict[str, list[dict[str, Any]]]:
        viewing = await viewing_of(request.user)
        films = await films_of(shelves, viewing, Filters(), LIST_MAX)
        known = [film for film in films if genre_of(film) in GENRES]
        objects = await shown(Shelf(request, shelves.session, viewing), known)
        return {genre: [one for one in objects if one["genre"] == genre] for genre in GENRES}

    @get("/{video_id:str}", opt={"canonical": "GET /api/v1/videos/{video_id}"})
    async def show_video(
        self,
        request: Request[Any, Any, Any],
        catalog: NamedDependency[Catalog],
        video_id: FromPath[str],
    ) -> dict[str, Any]:
        viewing = await viewing_of(request.user)
        film = await catalog.shown(viewing, number(video_id))
        return (await shown(Shelf(request, catalog.session, viewing), [film]))[0]

    @post(
        guards=[administrators],
        request_max_body_size=None,
        opt={"canonical": "POST /api/v1/videos", **UPLOAD},
    )
    async def add_video(self, request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
        form = await film_form(request)
        async with stored(form) as file:
            change = read_fields(dict(form.fields), WholeFilm).change()
            said = {
                name: value
                for name, value in msgspec.structs.asdict(change).items()
                if value is not UNSET
            }
            draft = msgspec.convert({"language": UNKNOWN_LANGUAGE} | said, VideoDraft)
            async with transaction() as session:
                if file:
                    video = await Media(session).accept(draft, file, request.user.user_id)
                else:
                    video = await Catalog(session).add(draft, request.user.user_id)
                body = await _shown_to_admin(request, session, video.id)
        return Response(body, status_code=HTTP_201_CREATED)

    @put(
        "/{video_id:str}",
        guards=[administrators],
        request_max_body_size=None,
        opt={"canonical": "PATCH /api/v1/videos/{video_id}", **UPLOAD},
    )
    async def put_video(
        self, request: Request[Any, Any, Any], video_id: FromPath[str]
    ) -> dict[str, Any]:
        return await _change(request, number(video_id), WholeFilm)

    @patch(
        "/{video_id:str}",
        guards=[administrators],
        request_max_body_size=None,
        opt={"canonical": "PATCH /api/v1/videos/{video_id}", **UPLOAD},
    )
    async def change_video(
        self, request: Request[Any, Any, Any], video_id: FromPath[str]
    ) -> dict[str, Any]:
        return await _change(request, number(video_id), FilmFields)

    @delete(
        "/{video_id:str}",
        guards=[administrators],
        opt={"canonical": "DELETE /api/v1/videos/{video_id}"},
    )
    async def delete_video(self, desk: NamedDependency[Desk], video_id: FromPath[str]) -> None:
        await desk.delete(number(video_id))


class RootController(Controller):
    path = "/api"
    guards = (token_needed,)
    middleware = (OlderSignIns(),)

    @get(opt={"canonical": NONE})
    async def list_routes(self) -> dict[str, str | None]:
        return {name: absolute(f"/api/{name}/") for name in ("categories", "videos")}


async def _found(shelves: Shelves, viewing: Viewing, asked: MultiDict[str]) -> list[Video]:
    """Films by what the database filters, newest first."""
    filters = Filters(
        featured=BOOLEANS.get(asked.get("is_favorite", "").lower()),
        uploaded_by=_number(asked, "uploaded_by"),
        created_after=_moment(asked, "uploaded_at"),
    )
    words = asked.get("search", "").replace("\x00", "")[:WORDS_MAX].strip()
    if not words:
        return await films_of(shelves, viewing, filters, LIST_MAX)
    page = await shelves.found(viewing, words, filters, LimitOffset(LIST_MAX, 0))
    return sorted(page.items, key=lambda film: film.created_at, reverse=True)


def _matching(asked: MultiDict[str], films: list[Video]) -> list[Video]:
    """What only the older words tell apart, in the order that is asked for."""
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


def _page(asked: MultiDict[str], films: list[Video]) -> list[Video]:
    size, page = (asked.get(name, "") for name in ("limit", "page"))
    if not (size.isascii() and size.isdigit() and 0 < int(size[:6]) <= LIST_MAX):
        return films
    number = int(page[:6]) if page.isascii() and page.isdigit() else 1
    start = max(0, number - 1) * int(size[:6])
    return films[start : start + int(size[:6])]


def _number(asked: MultiDict[str], name: str) -> int | None:
    """Raises Refusal. What is too large for a number of ours is nobody's."""
    value = asked.get(name, "").strip()
    if not value:
        return None
    try:
        return min(max(int(value), 0), BIGINT_MAX)
    except ValueError as error:
        raise field_error(name, "Enter a number.") from error


def _moment(asked: MultiDict[str], name: str) -> datetime | None:
    """Raises Refusal."""
    value = asked.get(name, "").strip()
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise field_error(name, "Enter a valid date/time.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _excluded(value: str | None, catalog: Catalog, viewing: Viewing) -> int | None:
    """The film to leave out. Raises Refusal for what is no number, or no film's."""
    if not value:
        return None
    if not (value.isascii() and value.isdigit()):
        raise field_error("to_exclude_id", "A valid integer is required.")
    try:
        return (await catalog.video(viewing, min(int(value[:20]), BIGINT_MAX))).id
    except VideoNotFound as error:
        raise Refusal({"detail": "Model does not exist"}, HTTP_404_NOT_FOUND) from error


async def _change(
    request: Request[Any, Any, Any], video_id: int, kind: type[FilmFields]
) -> dict[str, Any]:
    """What is left out stays; another file takes the place of the one that plays."""
    form = await film_form(request)
    async with stored(form) as file:
        change = read_fields(dict(form.fields), kind).change()
        async with transaction() as session:
            await Desk(session).change(video_id, change)
            if file:
                await Media(session).replace(video_id, file)
            return await _shown_to_admin(request, session, video_id)


async def _shown_to_admin(
    request: Request[Any, Any, Any], session: AsyncSession, video_id: int
) -> dict[str, Any]:
    viewing = unlimited(request.user)
    film = await Catalog(session).shown(viewing, video_id)
    return (await shown(Shelf(request, session, viewing), [film]))[0]
