"""Small vocabulary shared by all controllers."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.enums import RequestEncodingType, ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.params import PathParameter, QueryParameter
from litestar.types import ASGIApp, Receive, Send
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.auth.csrf import OLDER_CLIENT, SAFE_METHODS, ensure_own_page
from videoflix.platform.problems import BadRequest, InvalidInput, UnsupportedMediaType

# The largest integer that every JSON reader takes for itself (RFC 7493, 2.2); ids stay far below.
BIGINT_MAX = 2**53 - 1
# Lists such as `ids` hold up to a hundred.
PARAMETERS_MAX = 128
# A character that is seen. Patterns mean the same in Python and in ECMA 262, which OpenAPI names:
# not so the classes \w and \d, nor a `$` before the end of a line; \s differs in these.
VISIBLE = r"[^\s\x00-\x1f\x7f-\x9f\ufeff]"
JSON = "application/json"
# In a route's `opt`: it reads multipart/form-data from the request itself.
MULTIPART = {"multipart": True}

Id = Annotated[int, PathParameter(ge=1, le=BIGINT_MAX)]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many items at most.")]
Offset = Annotated[int, QueryParameter(ge=0, le=BIGINT_MAX, description="How many items to skip.")]

# A point in time as clients send it: with its zone. What holds one also calls `within_reason`.
YEARS = range(1970, 2200)
SCHEMA_OF_YEARS = {"pattern": r"^(19[7-9][0-9]|2[01][0-9]{2})-"}
Moment = Annotated[
    datetime,
    msgspec.Meta(tz=True, extra_json_schema=SCHEMA_OF_YEARS),
]

Item = TypeVar("Item")
Choice = TypeVar("Choice", bound=StrEnum)


class Page(msgspec.Struct, Generic[Item]):
    """One page of a list; `total` counts all of it."""

    items: list[Item]
    total: int
    limit: int
    offset: int


def ensure_plausible(*moments: object) -> None:
    """Raises ValueError for a time that no calendar here needs, and some databases cannot hold."""
    for moment in moments:
        if isinstance(moment, datetime) and moment.year not in YEARS:
            raise ValueError(f"expected a year from {YEARS[0]} to {YEARS[-1]}")


def one_of(kind: type[Choice], name: str, value: str | None) -> Choice | None:
    """A query parameter that knows only these values. Raises InvalidInput, which names them."""
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError as error:
        allowed = ", ".join(kind)
        reason = f"expected one of {allowed}, not “{value[:50]}”"
        raise InvalidInput(
            f"{name}: {reason}", errors=[{"field": name, "message": reason}]
        ) from error


def moment_of(name: str, value: str | None) -> datetime | None:
    """A query parameter that is a point in time, not a number. Raises InvalidInput."""
    if value is None:
        return None
    try:
        return msgspec.convert(value, Moment)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"{name}: {error}", errors=[{"field": name, "message": str(error)}]
        ) from error


def names_of(kind: type[StrEnum], *more: str) -> dict[str, Any]:
    """How the API's description lists the values of a query parameter that `one_of` reads."""
    return {"enum": [*kind, *more]}


def service(factory: Callable[[AsyncSession], Any]) -> Provide:
    """Inject a service that works in the request's transaction."""

    def provide(session: NamedDependency[AsyncSession]) -> Any:
        return factory(session)

    return Provide(provide, sync_to_thread=False)


class BodyGate(ASGIMiddleware):
    """Refuses bodies that a page of another site could send without asking (text/plain, forms).

    Litestar reads JSON whatever the content type says; a browser sends those types across sites
    without a preflight request (ASVS 5.0, 3.5.2). A form is for routes that read one, and never
    JSON. Changes that a browser says another site's page asks for are refused unless a header
    that such a page cannot send says who asks (3.5.1): else it could sign its visitors in with an
    account of its own.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Any, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope["query_string"].count(b"&") >= PARAMETERS_MAX:  # Litestar remembers them, parsed
            raise BadRequest(f"At most {PARAMETERS_MAX} query parameters are read.")
        if scope["method"] in SAFE_METHODS:
            await next_app(scope, receive, send)
            return
        connection = ASGIConnection[Any, Any, Any, Any](scope)
        headers = connection.headers
        if "authorization" not in headers:
            ensure_own_page(connection)
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if has_body and not _reads(scope["route_handler"], kind):
            raise UnsupportedMediaType(_expected(scope["route_handler"]))
        await next_app(scope, receive, send)


def _reads(handler: Any, kind: str) -> bool:
    """Whether a route reads bodies of this content type."""
    if kind == JSON or (kind.startswith("application/") and kind.endswith("+json")):
        return True
    if kind == RequestEncodingType.MULTI_PART:
        return bool(handler.opt.get(OLDER_CLIENT) or _reads_form(handler))
    return kind == RequestEncodingType.URL_ENCODED and bool(handler.opt.get(OLDER_CLIENT))


def _expected(handler: Any) -> str:
    """Which body a route reads, as a sentence."""
    if _reads_form(handler):
        return "Send a multipart/form-data body."
    return "Send a JSON body as application/json."


@cache
def _reads_form(handler: Any) -> bool:
    """Whether a route is for files: it says so in its `opt`, or by the type of its `data`."""
    body = handler.parsed_data_field
    kind = getattr(body.kwarg_definition, "media_type", None) if body else None
    return MULTIPART.items() <= handler.opt.items() or kind == RequestEncodingType.MULTI_PART
