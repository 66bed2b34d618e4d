"""Categories over HTTP."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, JSONBody, PathParameter, QueryParameter
from litestar.status_codes import HTTP_204_NO_CONTENT

from videoflix.catalog.api.response_cache import cache_response, cached_response
from videoflix.catalog.pictures import BYTES_MAX, InvalidPicture, reencode
from videoflix.catalog.schemas import (
    CategoryCreate,
    CategoryRead,
    CategoryUpdate,
    CategoryWithVideos,
)
from videoflix.catalog.service.browse import (
    Browse,
    CategoryInUse,
    CategoryNotFound,
    CategoryTaken,
)
from videoflix.platform.auth.identity import editors_only, signed_in
from videoflix.platform.http.params import Limit, service
from videoflix.platform.pictures.reencode import detect_format
from videoflix.platform.problems import Forbidden, NotFound, Problem, Unauthorized, problems
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.platform.storage.media_storage import (
    StorageFull,
    StorageUnavailable,
    media_storage,
)
from videoflix.profiles.schemas import Viewer
from videoflix.profiles.service import VIEWER_PROBLEMS

Named = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_-]+(?!\n)$", max_length=120)]
MoveTo = Annotated[
    str | None,
    QueryParameter(
        pattern=r"^[A-Za-z0-9_-]+(?!\n)$",
        max_length=120,
        description="Category that receives its videos.",
    ),
]


class PictureForm(msgspec.Struct):
    """A form with a file in its field `data`."""

    data: UploadFile


class PictureNotFound(NotFound):
    """The category has no picture."""


class CategoryController(Controller):
    path = "/categories"
    tags = ("Catalogue",)
    guards = (signed_in,)
    dependencies = {"browse": service(Browse)}

    @get(
        summary="List categories",
        before_request=cached_response,
        responses=problems(*VIEWER_PROBLEMS),
    )
    async def list_categories(
        self, request: Request[Any, Any, Any], browse: NamedDependency[Browse]
    ) -> Response[list[CategoryRead]]:
        """List categories, ordered by `position`."""

        async def make(_: Viewer) -> list[CategoryRead]:
            return [CategoryRead.of(found) for found in await browse.categories.all()]

        return await cache_response(request, make)

    @get(
        "/{category:str}",
        summary="Show a category",
        responses=problems(Unauthorized, CategoryNotFound),
    )
    async def show_category(self, browse: NamedDependency[Browse], category: Named) -> CategoryRead:
        """Show a category by its slug or id."""
        return CategoryRead.of(await browse.category(category))

    @get(
        "/{category:str}/picture",
        opt=UNLIMITED,
        summary="Get a category's picture",
        media_type="image/*",
        responses=problems(Unauthorized, CategoryNotFound, PictureNotFound),
    )
    async def show_picture(
        self, browse: NamedDependency[Browse], category: Named
    ) -> Response[bytes]:
        """Return the picture of a category as JPEG or PNG."""
        found = await browse.category(category)
        if found.picture is None:
            raise PictureNotFound
        try:
            data = await media_storage().read_all(found.picture)
        except FileNotFoundError as error:
            raise PictureNotFound from error
        headers = {
            "Cache-Control": "private, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(data, media_type=f"image/{detect_format(data)}", headers=headers)

    @post(
        summary="Add a category",
        guards=[editors_only],
        responses=problems(Unauthorized, Forbidden, CategoryTaken),
    )
    async def add_category(
        self, browse: NamedDependency[Browse], data: JSONBody[CategoryCreate]
    ) -> CategoryRead:
        """Add a category; without `position` it becomes the last one."""
        made = await browse.add_category(data.name, data.slug, data.position)
        return CategoryRead.of(made)

    @patch(
        "/{category:str}",
        summary="Update a category",
        guards=[editors_only],
        responses=problems(Unauthorized, Forbidden, CategoryNotFound, CategoryTaken),
    )
    async def change_category(
        self, browse: NamedDependency[Browse], category: Named, data: JSONBody[CategoryUpdate]
    ) -> CategoryRead:
        """Update name, slug or position; omitted fields stay unchanged."""
        fields = {
            name: value
            for name, value in msgspec.structs.asdict(data).items()
            if value is not msgspec.UNSET
        }
        return CategoryRead.of(await browse.change_category(category, fields))

    @put(
        "/{category:str}/picture",
        summary="Upload a category's picture",
        guards=[editors_only],
        status_code=HTTP_204_NO_CONTENT,
        request_max_body_size=BYTES_MAX + 64 * 1024,
        responses=problems(
            Unauthorized,
            Forbidden,
            CategoryNotFound,
            InvalidPicture,
            StorageFull,
            StorageUnavailable,
        ),
    )
    async def put_picture(
        self,
        browse: NamedDependency[Browse],
        category: Named,
        data: Annotated[PictureForm, Body(media_type=RequestEncodingType.MULTI_PART)],
    ) -> None:
        """Store a JPEG or PNG file, sent as the form field `data`.

        The picture is re-encoded: metadata is dropped, and the longest side is at most 1280 pixels.
        """
        picture = await reencode(await data.data.read(BYTES_MAX + 1))
        async with _stored(picture) as key:
            await browse.show_picture(category, key)

    @delete(
        "/{category:str}",
        summary="Delete a category",
        guards=[editors_only],
        responses=problems(Unauthorized, Forbidden, CategoryNotFound, CategoryInUse),
    )
    async def delete_category(
        self, browse: NamedDependency[Browse], category: Named, move_to: MoveTo = None
    ) -> None:
        """Delete a category; its videos move to `move_to`, which is required if it has any."""
        await browse.remove_category(category, move_to)


class CategoryVideoController(Controller):
    path = "/videos/by-category"
    tags = ("Catalogue",)
    guards = (signed_in,)
    dependencies = {"browse": service(Browse)}

    @get(
        summary="List videos by category",
        before_request=cached_response,
        responses=problems(*VIEWER_PROBLEMS),
    )
    async def list_by_category(
        self,
        request: Request[Any, Any, Any],
        browse: NamedDependency[Browse],
        limit: Limit = 10,
    ) -> Response[list[CategoryWithVideos]]:
        """List every category with its newest videos, at most `limit` of each."""

        async def make(viewer: Viewer) -> list[CategoryWithVideos]:
            return [
                CategoryWithVideos(CategoryRead.of(category), videos)
                for category, videos in await browse.by_category(viewer, limit)
            ]

        return await cache_response(request, make)


@asynccontextmanager
async def _stored(picture: bytes) -> AsyncGenerator[str]:
    """Store a picture under a new key, so that the URL changes and can be cached for ever.

    Deletes it if the block raises a Problem. After a failed commit, the sweep deletes it.
    """
    key = f"categories/{uuid.uuid4().hex}"
    async with media_storage().writing(key) as writer:
        await writer.write(picture)
    try:
        yield key
    except Problem:
        await media_storage().delete([key])
        raise
