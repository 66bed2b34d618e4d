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

from videoflix.catalog.api.response_cache import from_memory, remembered
from videoflix.catalog.pictures import BYTES_MAX, PictureRefused, encoded_again, format_of
from videoflix.catalog.schemas import (
    CategoryChange,
    CategoryShown,
    CategoryWithVideos,
    NewCategory,
)
from videoflix.catalog.service.browse import (
    CategoryInUse,
    CategoryNotFound,
    CategoryTaken,
    Shelves,
)
from videoflix.platform.auth.identity import editors_only, signed_in
from videoflix.platform.http.params import Limit, service
from videoflix.platform.problems import Forbidden, NotFound, Problem, SignInNeeded, problems
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.platform.storage.media_storage import (
    StorageFull,
    StorageUnavailable,
    media_storage,
)
from videoflix.profiles.schemas import Viewing
from videoflix.profiles.service import WATCHING

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
    dependencies = {"shelves": service(Shelves)}

    @get(summary="List categories", before_request=from_memory, responses=problems(*WATCHING))
    async def list_categories(
        self, request: Request[Any, Any, Any], shelves: NamedDependency[Shelves]
    ) -> Response[list[CategoryShown]]:
        """List the categories in their order."""

        async def make(_: Viewing) -> list[CategoryShown]:
            return [CategoryShown.of(found) for found in await shelves.categories.all()]

        return await remembered(request, make)

    @get(
        "/{category:str}",
        summary="Show a category",
        responses=problems(SignInNeeded, CategoryNotFound),
    )
    async def show_category(
        self, shelves: NamedDependency[Shelves], category: Named
    ) -> CategoryShown:
        """Show a category by its slug or id."""
        return CategoryShown.of(await shelves.category(category))

    @get(
        "/{category:str}/picture",
        opt=UNLIMITED,
        summary="A category's picture",
        media_type="image/*",
        responses=problems(SignInNeeded, CategoryNotFound, PictureNotFound),
    )
    async def show_picture(
        self, shelves: NamedDependency[Shelves], category: Named
    ) -> Response[bytes]:
        """The picture of a category."""
        found = await shelves.category(category)
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
        return Response(data, media_type=f"image/{format_of(data)}", headers=headers)

    @post(
        summary="Add a category",
        guards=[editors_only],
        responses=problems(SignInNeeded, Forbidden, CategoryTaken),
    )
    async def add_category(
        self, shelves: NamedDependency[Shelves], data: JSONBody[NewCategory]
    ) -> CategoryShown:
        """Add a category, after all others unless `position` says so."""
        made = await shelves.add_category(data.name, data.slug, data.position)
        return CategoryShown.of(made)

    @patch(
        "/{category:str}",
        summary="Change a category",
        guards=[editors_only],
        responses=problems(SignInNeeded, Forbidden, CategoryNotFound, CategoryTaken),
    )
    async def change_category(
        self, shelves: NamedDependency[Shelves], category: Named, data: JSONBody[CategoryChange]
    ) -> CategoryShown:
        """Change name, slug or position; what is left out stays."""
        fields = {
            name: value
            for name, value in msgspec.structs.asdict(data).items()
            if value is not msgspec.UNSET
        }
        return CategoryShown.of(await shelves.change_category(category, fields))

    @put(
        "/{category:str}/picture",
        summary="Upload a category's picture",
        guards=[editors_only],
        status_code=HTTP_204_NO_CONTENT,
        request_max_body_size=BYTES_MAX + 64 * 1024,
        responses=problems(
            SignInNeeded,
            Forbidden,
            CategoryNotFound,
            PictureRefused,
            StorageFull,
            StorageUnavailable,
        ),
    )
    async def put_picture(
        self,
        shelves: NamedDependency[Shelves],
        category: Named,
        data: Annotated[PictureForm, Body(media_type=RequestEncodingType.MULTI_PART)],
    ) -> None:
        """Store a JPEG or PNG file, sent as the form field `data`.

        It is decoded and encoded again: only its pixels are kept, at most 1280 by 1280 of them.
        """
        picture = await encoded_again(await data.data.read(BYTES_MAX + 1))
        async with _stored(picture) as key:
            await shelves.show_picture(category, key)

    @delete(
        "/{category:str}",
        summary="Delete a category",
        guards=[editors_only],
        responses=problems(SignInNeeded, Forbidden, CategoryNotFound, CategoryInUse),
    )
    async def delete_category(
        self, shelves: NamedDependency[Shelves], category: Named, move_to: MoveTo = None
    ) -> None:
        """Delete a category; its films move to `move_to`, or it stays while it has any."""
        await shelves.remove_category(category, move_to)


class CategoryVideoController(Controller):
    path = "/videos/by-category"
    tags = ("Catalogue",)
    guards = (signed_in,)
    dependencies = {"shelves": service(Shelves)}

    @get(summary="Films by category", before_request=from_memory, responses=problems(*WATCHING))
    async def list_by_category(
        self,
        request: Request[Any, Any, Any],
        shelves: NamedDependency[Shelves],
        limit: Limit = 10,
    ) -> Response[list[CategoryWithVideos]]:
        """Every category with its newest films."""

        async def make(viewing: Viewing) -> list[CategoryWithVideos]:
            return [
                CategoryWithVideos(CategoryShown.of(category), films)
                for category, films in await shelves.by_category(viewing, limit)
            ]

        return await remembered(request, make)


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
