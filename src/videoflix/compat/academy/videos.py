"""The catalogue, and its management by staff."""

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
    VideoCreate,
    VideoUpdate,
)
from videoflix.catalog.service import Browse, Catalog, Filters
from videoflix.catalog.service.catalog import UnknownCategory
from videoflix.catalog.service.editing import Editing
from videoflix.compat.academy.serializers import NO_FILM, detail, summary
from videoflix.compat.drf.errors import field_error
from videoflix.compat.drf.parsing import read_fields
from videoflix.compat.video_requests import (
    LIST_MAX,
    create_video,
    list_videos,
    parse_id,
    read_video_form,
)
from videoflix.media.schemas import StoredFile
from videoflix.media.service import Media
from videoflix.platform.auth.identity import CurrentUser, editors_only, signed_in
from videoflix.platform.http.params import service
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import UnsupportedMediaType
from videoflix.platform.rate_limit.middleware import UPLOAD
from videoflix.profiles.schemas import unrestricted_viewer
from videoflix.profiles.service import current_viewer

SHELF_MAX = 100
NEWEST = 10


class VideoForm(msgspec.Struct):
    """`duration` is in minutes, shown until the file's own is known; `user` is ignored."""

    title: Title
    description: Description
    duration: Annotated[int, msgspec.Meta(ge=0, le=100_000)]
    category_id: BigId
    user: BigId
    is_featured: bool = False


class VideoUpdateForm(msgspec.Struct):
    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    category_id: BigId | UnsetType = UNSET
    is_featured: bool | UnsetType = UNSET


class VideoController(Controller):
    path = "/api"
    dependencies = {
        "catalog": service(Catalog),
        "browse": service(Browse),
        "editing": service(Editing),
    }

    @get("/categories/with_videos", opt={"canonical": "GET /api/v1/videos/by-category"})
    async def list_by_category(
        self, request: Request[Any, Any, Any], browse: NamedDependency[Browse]
    ) -> list[dict[str, Any]]:
        """List categories; without signing in, without their videos."""
        if request.user is None:
            return [{"category": one.name, "videos": []} for one in await browse.categories.all()]
        viewer = await current_viewer(request.user)
        return [
            {"category": category.name, "videos": [detail(film) for film in films]}
            for category, films in await browse.by_category(viewer, SHELF_MAX)
        ]

    @get("/video", guards=[signed_in], opt={"canonical": "GET /api/v1/videos"})
    async def list_films(
        self, user: CurrentUser, browse: NamedDependency[Browse]
    ) -> list[dict[str, Any]]:
        viewer = await current_viewer(user)
        films = await list_videos(browse, viewer, Filters(), LIST_MAX)
        return [summary(film) for film in sorted(films, key=lambda film: film.id)]

    @get("/video/new", guards=[signed_in], opt={"canonical": "GET /api/v1/videos/newest"})
    async def show_newest(
        self, user: CurrentUser, browse: NamedDependency[Browse]
    ) -> dict[str, Any]:
        films = await list_videos(browse, await current_viewer(user), Filters(), 1)
        return detail(films[0]) if films else NO_FILM

    @get("/video/new_videos", guards=[signed_in], opt={"canonical": "GET /api/v1/videos/newest"})
    async def list_newest(
        self, user: CurrentUser, browse: NamedDependency[Browse]
    ) -> list[dict[str, Any]]:
        films = await list_videos(browse, await current_viewer(user), Filters(), NEWEST)
        return [detail(film) for film in films]

    @get("/video/featured", guards=[signed_in], opt={"canonical": "GET /api/v1/videos/featured"})
    async def list_featured(
        self, user: CurrentUser, browse: NamedDependency[Browse]
    ) -> list[dict[str, Any]]:
        viewer = await current_viewer(user)
        films = await list_videos(browse, viewer, Filters(featured=True), SHELF_MAX)
        return [detail(film) for film in films]

    @get(
        "/video/{video_id:str}",
        guards=[signed_in],
        opt={"canonical": "GET /api/v1/videos/{video_id}"},
    )
    async def show_film(
        self,
        user: CurrentUser,
        catalog: NamedDependency[Catalog],
        video_id: FromPath[str],
    ) -> dict[str, Any]:
        viewer = await current_viewer(user)
        return detail(await catalog.read(viewer, parse_id(video_id)))

    @post(
        "/video",
        guards=[editors_only],
        request_max_body_size=None,
        opt={"canonical": "POST /api/v1/videos", **UPLOAD},
    )
    async def add_film(self, request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
        """Create a video from a form, with or without a file; JSON is not accepted."""
        if request.content_type[0] == RequestEncodingType.JSON:
            raise UnsupportedMediaType
        form = await read_video_form(request)
        async with create_video(form) as file:
            new = read_fields(dict(form.fields), VideoForm)
            draft = VideoCreate(
                title=new.title,
                description=new.description,
                featured=new.is_featured,
                categories=[new.category_id],
            )
            with _known_category(new.category_id):
                await _create(draft, file, request.user.user_id, new.duration * 60)
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
        return await _change(request, parse_id(video_id))

    @patch(
        "/video/{video_id:str}",
        guards=[editors_only],
        request_max_body_size=None,
        opt={"canonical": "PATCH /api/v1/videos/{video_id}"},
    )
    async def change_film(
        self, request: Request[Any, Any, Any], video_id: FromPath[str]
    ) -> dict[str, Any]:
        return await _change(request, parse_id(video_id))

    @delete(
        "/video/{video_id:str}",
        summary="Delete a video",
        guards=[editors_only],
        opt={"canonical": "DELETE /api/v1/videos/{video_id}"},
    )
    async def delete_film(self, editing: NamedDependency[Editing], video_id: FromPath[str]) -> None:
        await editing.delete(parse_id(video_id))


async def _create(draft: VideoCreate, file: StoredFile | None, editor: int, seconds: int) -> None:
    """Create a video; without a file, only editors see it."""
    async with transaction() as session:
        if file:
            video = await Media(session).accept(draft, file, editor)
        else:
            video = await Catalog(session).add(draft, editor)
        video.duration = float(seconds) or None


async def _change(request: Request[Any, Any, Any], video_id: int) -> dict[str, Any]:
    """Update a video; omitted fields stay unchanged, a file replaces the current one."""
    form = await read_video_form(request)
    async with create_video(form) as file:
        change = read_fields(dict(form.fields), VideoUpdateForm)
        shelf = change.category_id
        described = VideoUpdate(
            title=change.title,
            description=change.description,
            featured=change.is_featured,
            categories=UNSET if shelf is UNSET else [shelf],
        )
        with _known_category(shelf):
            async with transaction() as session:
                await Editing(session).change(video_id, described)
                if file:
                    await Media(session).replace(video_id, file)
                told = f"Change a film: {request.method} {request.url.path}"
                await Audit(session).record_change(told, by=request.user.user_id)
                shown = await Catalog(session).read(unrestricted_viewer(request.user), video_id)
    return detail(shown)


@contextmanager
def _known_category(category_id: object) -> Generator[None]:
    """Convert UnknownCategory to the older backend's error."""
    try:
        yield
    except UnknownCategory as error:
        text = f'Invalid pk "{category_id}" - object does not exist.'
        raise field_error("category_id", text) from error
