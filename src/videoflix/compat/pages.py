"""Redirects from pages of the older backends to ours."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from videoflix.compat.dialect import CANONICAL, NONE

SWAGGER, REDOC, DOCUMENT = "/schema/swagger", "/schema/redoc", "/schema/openapi.json"
PANEL, JOB_MONITOR = "/admin", "/admin/jobs"


def redirects(pages: Mapping[str, str]) -> HTTPRouteHandler:
    """A handler that redirects from each of the older paths to its page here."""

    @get(list(pages), opt={CANONICAL: NONE})
    async def show_page(request: Request[Any, Any, Any]) -> Redirect:
        return Redirect(pages[request.url.path.rstrip("/")])

    return show_page
