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
from videoflix.catalog.pictures import BYTES_MAX, InvalidPicture, detect_format, reencode
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
        pattern=r"^[A-Za-z0-9_-]+(?!\n)$", max_length=120, description="Where its films go."
    ),
]


class PictureForm(msgspec.Struct):
    """A form with a file in its field `data`."""

    data: UploadFile


class PictureNotFound(NotFound):
    """This category has no picture."""


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
        """List the categories in their order."""

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
        summary="A category's picture",
        media_type="image/*",
        responses=problems(Unauthorized, CategoryNotFound, PictureNotFound),
    )
    async def show_picture(
        self, browse: NamedDependency[Browse], category: Named
    ) -> Response[bytes]:
        """The picture of a category."""
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
        """Add a category, after all others unless `position` says so."""
        made = await browse.add_category(data.name, data.slug, data.position)
        return CategoryRead.of(made)

    @patch(
        "/{category:str}",
        summary="Change a category",
        guards=[editors_only],
        responses=problems(Unauthorized, Forbidden, CategoryNotFound, CategoryTaken),
    )
    async def change_category(
        self, browse: NamedDependency[Browse], category: Named, data: JSONBody[CategoryUpdate]
    ) -> CategoryRead:
        """Change name, slug or position; what is left out stays."""
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

        It is decoded and encoded again: only its pixels are kept, at most 1280 by 1280 of them.
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
        """Delete a category; its films move to `move_to`, or it stays while it has any."""
        await browse.remove_category(category, move_to)


class CategoryVideoController(Controller):
    path = "/videos/by-category"
    tags = ("Catalogue",)
    guards = (signed_in,)
    dependencies = {"browse": service(Browse)}

    @get(
        summary="Films by category",
        before_request=cached_response,
        responses=problems(*VIEWER_PROBLEMS),
    )
    async def list_by_category(
        self,
        request: Request[Any, Any, Any],
        browse: NamedDependency[Browse],
        limit: Limit = 10,
    ) -> Response[list[CategoryWithVideos]]:
        """Every category with its newest films."""

        async def make(viewer: Viewer) -> list[CategoryWithVideos]:
            return [
                CategoryWithVideos(CategoryRead.of(category), films)
                for category, films in await browse.by_category(viewer, limit)
            ]

        return await cache_response(request, make)


@asynccontextmanager
async def _stored(picture: bytes) -> AsyncGenerator[str]:
    """Store a picture under a new key, so that browsers may cache what they have.

    It goes away if the block refuses it. Should the commit fail, the sweep removes it.
    """
    key = f"categories/{uuid.uuid4().hex}"
    async with media_storage().writing(key) as writer:
        await writer.write(picture)
    try:
        yield key
    except Problem:
        await media_storage().delete([key])
        raise
