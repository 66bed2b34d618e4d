"""All dialects, and the routes of the enabled ones."""

import sys
from collections.abc import Sequence
from http import HTTPStatus

from litestar import Controller, HttpMethod, Router, route
from litestar.handlers import HTTPRouteHandler
from litestar.types import ControllerRouterHandler

from videoflix.compat.academy import ACADEMY
from videoflix.compat.authemail import AUTHEMAIL
from videoflix.compat.dialect import Dialect
from videoflix.compat.drf.errors import ALLOWED, error_shapes, metadata, method_not_allowed
from videoflix.compat.movies import MOVIES
from videoflix.compat.movies.registration import RegisterController
from videoflix.compat.netiflex import NETIFLEX
from videoflix.compat.streaming import STREAMING
from videoflix.platform.auth.csrf import OLDER_CLIENT

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (ACADEMY, NETIFLEX, AUTHEMAIL, STREAMING, MOVIES)
}
# Served whatever DIALECTS lists.
ALWAYS: tuple[ControllerRouterHandler, ...] = (RegisterController,)
# Upload routes override this.
BODY_MAX = 64 * 1024
METHODS = (HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE)


def dialect_routes(names: Sequence[str]) -> list[Router]:
    """The routes of these dialects, and those of all. Raises SystemExit for unknown names."""
    for name in names:
        if name not in DIALECTS:
            sys.exit(f"DIALECTS is wrong: there is no “{name}”, only {', '.join(DIALECTS)}.")
    routes = [*ALWAYS, *(found for name in names for found in DIALECTS[name].routes)]
    once = list(dict.fromkeys(routes))
    served = _router(once)
    # OPTIONS first: Litestar adds a handler of its own to paths without one.
    return [_router([*_options(served), *once, *_refusals(served)])]


def replaced_by(names: Sequence[str]) -> set[type[Controller]]:
    """Our controllers that these dialects replace."""
    return {one for name in names if name in DIALECTS for one in DIALECTS[name].replaces}


def _router(routes: Sequence[ControllerRouterHandler]) -> Router:
    """Exclude from OpenAPI, which describes the canonical operations; see docs/dialects.md."""
    return Router(
        "/",
        route_handlers=routes,
        include_in_schema=False,
        exception_handlers=error_shapes,
        opt={OLDER_CLIENT: True},
        request_max_body_size=BODY_MAX,
    )


def _refusals(router: Router) -> list[HTTPRouteHandler]:
    """Handlers that respond with 405 in the older format, which differs from Litestar's."""
    return [
        route(
            path=served.path, http_method=others, opt={ALLOWED: ", ".join(sorted(served.methods))}
        )(method_not_allowed)
        for served in router.routes
        if (others := [method for method in METHODS if method not in served.methods])
    ]


def _options(router: Router) -> list[HTTPRouteHandler]:
    """Handlers of OPTIONS, with the metadata of Django REST framework."""
    return [
        route(
            path=served.path,
            http_method=HttpMethod.OPTIONS,
            status_code=HTTPStatus.OK,
            opt={ALLOWED: ", ".join(sorted({*served.methods, "OPTIONS"}))},
        )(metadata)
        for served in router.routes
    ]
