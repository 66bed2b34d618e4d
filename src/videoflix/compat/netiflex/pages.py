"""Pages of older backends that are ours under another name."""

from typing import Any

from litestar import Request, get
from litestar.response import Redirect

PAGES = {
    "/swagger": "/schema/swagger",
    "/swagger.json": "/schema/openapi.json",
    "/redoc": "/schema/redoc",
}


@get(list(PAGES), opt={"canonical": "GET /schema"})
async def show_page(request: Request[Any, Any, Any]) -> Redirect:
    return Redirect(PAGES[request.url.path.rstrip("/")])
