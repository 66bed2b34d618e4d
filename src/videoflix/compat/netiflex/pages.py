"""Redirects from pages of the older backend to ours."""

from typing import Any

from litestar import Request, get
from litestar.response import Redirect

from videoflix.compat.dialect import NONE

PAGES = {
    "/swagger": "/schema/swagger",
    "/swagger.json": "/schema/openapi.json",
    "/redoc": "/schema/redoc",
}


@get(list(PAGES), opt={"canonical": NONE})
async def show_page(request: Request[Any, Any, Any]) -> Redirect:
    return Redirect(PAGES[request.url.path.rstrip("/")])
