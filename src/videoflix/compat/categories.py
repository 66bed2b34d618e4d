"""Categories as several dialects show them: one object that serves all of their clients."""

import re
from typing import Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.status_codes import HTTP_403_FORBIDDEN

from videoflix.catalog.models import Category
from videoflix.catalog.schemas import CategoryTitle
from videoflix.catalog.service import CategoryNotFound, CategoryTaken, Shelves
from videoflix.compat.bodies import read
from videoflix.compat.drf import NOT_ALLOWED, Refusal, field_error
from videoflix.platform.identity import Role
from videoflix.platform.web import service

NAMED = re.compile(r"[\w-]{1,120}")


class NewShelf(msgspec.Struct):
    name: CategoryTitle


class CategoryController(Controller):
    """Everybody may read what shelves there are; what stands on them takes signing in."""

    path = "/api/categories"
    dependencies = {"shelves": service(Shelves)}

    @get(opt={"canonical": "GET /api/v1/categories"})
    async def list_categories(self, shelves: NamedDependency[Shelves]) -> list[dict[str, Any]]:
        return [_shown(category) for category in await shelves.categories.all()]

    @get("/{category:str}", opt={"canonical": "GET /api/v1/categories/{category}"})
    async def show_category(
        self, shelves: NamedDependency[Shelves], category: FromPath[str]
    ) -> dict[str, Any]:
        if not NAMED.fullmatch(category):
            raise CategoryNotFound
        return _shown(await shelves.category(category))

    @post(opt={"canonical": "POST /api/v1/categories"})
    async def add_category(
        self, request: Request[Any, Any, Any], shelves: NamedDependency[Shelves]
    ) -> dict[str, Any]:
        """Strangers are refused as others are: 403, which is what older clients expect."""
        if request.user is None or not request.user.may(Role.EDITOR):
            raise Refusal({"detail": NOT_ALLOWED}, HTTP_403_FORBIDDEN)
        name = (await read(request, NewShelf)).name
        try:
            made = await shelves.add_category(name, "", None)
        except CategoryTaken as error:
            raise field_error("name", "category with this name already exists.") from error
        return {"message": "Category created successfully", **_shown(made)}


def _shown(category: Category) -> dict[str, Any]:
    return {"id": category.id, "name": category.name, "slug": category.slug}
