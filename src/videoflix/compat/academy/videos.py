"""The catalogue, and what staff does with it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import FromPath
from litestar.status_codes import HTTP_201_CREATED
from msgspec import UNSET, UnsetType

from videoflix.audit.service import Audit
from videoflix.catalog.schemas import (
    BigId,
    Description,
    Title,
    VideoChange,
    VideoDraft,
)
from videoflix.catalog.service import Catalog, Filters, Shelves
from videoflix.catalog.service.catalog import CategoryUnknown
from videoflix.catalog.service.editing import Desk
from videoflix.compat.academy.serializers import NO_FILM, full, short
from videoflix.compat.drf.errors import field_error
from videoflix.compat.drf.parsing import read_fields
from videoflix.compat.video_requests import LIST_MAX, film_form, films_of, number, stored
from videoflix.media.schemas import StoredFile
from videoflix.media.service import Media
from videoflix.platform.auth.identity import editors_only, signed_in
from videoflix.platform.http.params import service
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import UnsupportedMediaType
from videoflix.platform.rate_limit.middleware import UPLOAD
from videoflix.profiles.schemas import unlimited
from videoflix.profiles.service import viewing_of

SHELF_MAX = 100
NEWEST = 10


class NewFilm(msgspec.Struct):
    """`duration` (found out by looking) and `user` (who asks) are asked for and not believed."""

    title: Title
    description: Description
    duration: Annotated[int, msgspec.Meta(ge=0)]
    category_id: BigId
    user: BigId
    is_featured: bool = False


class FilmChange(msgspec.Struct):
    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    category_id: BigId | UnsetType = UNSET
    is_featured: bool | UnsetType = UNSET


class FilmController(Controller):
    path = "/api"
    dependencies = {
        "catalog": service(Catalog),
        "shelves": service(Shelves),
        "desk": service(Desk),
    }

    @get("/categories/with_videos", opt={"canonical": "GET /api/v1/videos/by-category"})
    async def list_by_category(
        self, request: Request[Any, Any, Any], shelves: NamedDependency[Shelves]
    ) -> list[dict[str, Any]]:
        """Strangers see the shelves, and nothing on them."""
        if request.user is None:
            return [{"category": one.name, "videos": []} for one in await shelves.categories.all()]
        viewing = await viewing_of(request.user)
        return [
            {"category": category.name, "videos": [full(film) for film in films]}
            for category, films in await shelves.by_category(viewing, SHELF_MAX)
        ]

    @get("/video", guards=[signed_in], opt={"canonical": "GET /api/v1/videos"})
    async def list_films(
        self, request: Request[Any, Any, Any], shelves: NamedDependency[Shelves]
    ) -> list[dict[str, Any]]:
        viewing = await viewing_of(request.user)
        films = await films_of(shelves, viewing, Filters(), LIST_MAX)
        return [short(film) for film in sorted(films, key=lambda film: film.id)]

    @get("/video/new", guards=[signed_in], opt={"canonical": "GET /api/v1/videos/newest"})
    async def show_newest(
        self, request: Request[Any, Any, Any], shelves: NamedDependency[Shelves]
    ) -> dict[str, Any]:
        films = await films_of(shelves, await viewing_of(request.user), Filters(), 1)
        return full(films[0]) if films else NO_FILM

    @get("/video/new_videos", guards=[signed_in], opt={"canonical": "GET /api/v1/videos/newest"})
    async def list_newest(
        self, request: Request[Any, Any, Any], shelves: NamedDependency[Shelves]
    ) -> list[dict[str, Any]]:
        films = await films_of(shelves, await viewing_of(request.user), Filters(), NEWEST)
        return [full(film) for film in films]

    @get("/video/featured", guards=[signed_in], opt={"canonical": "GET /api/v1/videos/featured"})
    async def list_featured(
        self, request: Request[Any, Any, Any], shelves: NamedDependency[Shelves]
    ) -> list[dict[str, Any]]:
        viewing = await viewing_of(request.user)
        films = await films_of(shelves, viewing, Filters(featured=True), SHELF_MAX)
        return [full(film) for film in films]

    @get(
        "/video/{video_id:str}",
        guards=[signed_in],
        opt={"canonical": "GET /api/v1/videos/{video_id}"},
    )
    async def show_film(
        self,
        request: Request[Any, Any, Any],
        catalog: NamedDependency[Catalog],
        video_id: FromPath[str],
    ) -> dict[str, Any]:
        viewing = await viewing_of(request.user)
        return full(await catalog.shown(viewing, number(video_id)))

    @post(
        "/video",
        guards=[editors_only],
        request_max_body_size=None,
        opt={"canonical": "POST /api/v1/videos", **UPLOAD},
    )
    async def add_film(self, request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
        """A form, with a file or without; JSON never was welcome here."""
        if request.content_type[0] == RequestEncodingType.JSON:
            raise UnsupportedMediaType
        form = await film_form(request)
        async with stored(form) as file:
            new = read_fields(dict(form.fields), NewFilm)
            draft = VideoDraft(
                title=new.title,
                description=new.description,
                featured=new.is_featured,
                categories=[new.category_id],
            )
            with _known_category(new.category_id):
                await _enter(draft, file, request.user.user_id)
        body = {"message": "Video created successfully"}
        return Response(body, status_code=HTTP_201_CREATED)

    @put(
        "/video/{video_id:str}",
        guards=[editors_only],
        request_max_body_size=None,
        opt={"canonical": "PATCH /api/v1/videos/{video_id}"},
    )
    async def put_film(
        self, request: Request[Any, Any, Any], video_id: FromPath[str]
    ) -> dict[str, Any]:
        return await _change(request, number(video_id))

    @patch(
        "/video/{video_id:str}",
        guards=[editors_only],
        request_max_body_size=None,
        opt={"canonical": "PATCH /api/v1/videos/{video_id}"},
    )
    async def change_film(
        self, request: Request[Any, Any, Any], video_id: FromPath[str]
    ) -> dict[str, Any]:
        return await _change(request, number(video_id))

    @delete(
        "/video/{video_id:str}",
        summary="Delete a film",
        guards=[editors_only],
        opt={"canonical": "DELETE /api/v1/videos/{video_id}"},
    )
    async def delete_film(self, desk: NamedDependency[Desk], video_id: FromPath[str]) -> None:
        await desk.delete(number(video_id))


async def _enter(draft: VideoDraft, file: StoredFile | None, editor: int) -> None:
    """Enter a film; without a file nobody but editors sees it."""
    async with transaction() as session:
        if file:
            await Media(session).accept(draft, file, editor)
        else:
            await Catalog(session).add(draft, editor)


async def _change(request: Request[Any, Any, Any], video_id: int) -> dict[str, Any]:
    """What is left out stays; another file takes the place of the one that plays."""
    form = await film_form(request)
    async with stored(form) as file:
        change = read_fields(dict(form.fields), FilmChange)
        shelf = change.category_id
        described = VideoChange(
            title=change.title,
            description=change.description,
            featured=change.is_featured,
            categories=UNSET if shelf is UNSET else [shelf],
        )
        with _known_category(shelf):
            async with transaction() as session:
                await Desk(session).change(video_id, described)
                if file:
                    await Media(session).replace(video_id, file)
                told = f"Change a film: {request.method} {request.url.path}"
                await Audit(session).record_change(told, by=request.user.user_id)
                shown = await Catalog(session).shown(unlimited(request.user), video_id)
    return full(shown)


@contextmanager
def _known_category(category_id: object) -> Generator[None]:
    """A block that names the category it does not find as older backends did."""
    try:
        yield
    except CategoryUnknown as error:
        text = f'Invalid pk "{category_id}" - object does not exist.'
        raise field_error("category_id", text) from error
