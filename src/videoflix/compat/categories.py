"""Categories, in one format that serves the clients of several dialects."""

import re
from typing import Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.status_codes import HTTP_403_FORBIDDEN

from videoflix.catalog.models import Category
from videoflix.catalog.schemas import CategoryTitle
from videoflix.catalog.service import Browse, CategoryNotFound, CategoryTaken
from videoflix.compat.drf.errors import NOT_ALLOWED, field_error
from videoflix.compat.drf.parsing import read
from videoflix.platform.auth.identity import editors_only
from videoflix.platform.http.params import service
from videoflix.platform.problems import Unauthorized

NAMED = re.compile(r"[\w-]{1,120}")


def refuse_strangers(request: Request[Any, Any, Any], error: Unauthorized) -> Response[Any]:
    """Respond with 403 instead of 401, as older clients expect."""
    return Response({"detail": NOT_ALLOWED}, status_code=HTTP_403_FORBIDDEN)


class CategoryForm(msgspec.Struct):
    name: CategoryTitle


class CategoryController(Controller):
    """Categories are public; their videos require signing in."""

    path = "/api/categories"
    dependencies = {"browse": service(Browse)}

    @get(opt={"canonical": "GET /api/v1/categories"})
    async def list_categories(self, browse: NamedDependency[Browse]) -> list[dict[str, Any]]:
        return [_serialize(category) for category in await browse.categories.all()]

    @get("/{category:str}", opt={"canonical": "GET /api/v1/categories/{category}"})
    async def show_category(
        self, browse: NamedDependency[Browse], category: FromPath[str]
    ) -> dict[str, Any]:
        if not NAMED.fullmatch(category):
            raise CategoryNotFound
        return _serialize(await browse.category(category))

    @post(
        summary="Add a category",
        guards=[editors_only],
        exception_handlers={Unauthorized: refuse_strangers},
        opt={"canonical": "POST /api/v1/categories"},
    )
    async def add_category(
        self, request: Request[Any, Any, Any], browse: NamedDependency[Browse]
    ) -> dict[str, Any]:
        name = (await read(request, CategoryForm)).name
        try:
            made = await browse.add_category(name, "", None)
        except CategoryTaken as error:
            raise field_error("name", "category with this name already exists.") from error
        return {"message": "Category created successfully", **_serialize(made)}


def _serialize(category: Category) -> dict[str, Any]:
    return {"id": category.id, "name": category.name, "slug": category.slug}
