"""Parameters, pages and body checks shared by all controllers."""

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

# The largest integer that is interoperable in JSON (RFC 7493, 2.2).
BIGINT_MAX = 2**53 - 1
# Maximum number of query parameters; lists such as `ids` have up to 100.
PARAMETERS_MAX = 128
# A visible character. Patterns have to match the same in Python and ECMA 262, which OpenAPI uses:
# \w, \d and `$` differ, and \s differs in the characters listed here.
VISIBLE = r"[^\s\x00-\x1f\x7f-\x9f\ufeff]"
JSON = "application/json"
# `opt` of routes that parse multipart/form-data themselves.
MULTIPART = {"multipart": True}
# `opt` of routes that read other bodies themselves: their content types, or ANY_TYPE.
BODY_TYPES = "body_types"
ANY_TYPE = "*/*"

Id = Annotated[int, PathParameter(ge=1, le=BIGINT_MAX)]
# BCP 47, as far as subtitles need it.
LANGUAGE_TAG = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}"
LanguageTag = Annotated[str, PathParameter(pattern=rf"^{LANGUAGE_TAG}(?!\n)$", max_length=30)]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Maximum number of items.")]
Offset = Annotated[int, QueryParameter(ge=0, le=BIGINT_MAX, description="Number of items to skip.")]

# A timestamp with a time zone. Structs that contain one also call `ensure_plausible`.
YEARS = range(1970, 2200)
SCHEMA_OF_YEARS = {"pattern": r"^(19[7-9][0-9]|2[01][0-9]{2})-"}
Moment = Annotated[
    datetime,
    msgspec.Meta(tz=True, extra_json_schema=SCHEMA_OF_YEARS),
]

Item = TypeVar("Item")
Choice = TypeVar("Choice", bound=StrEnum)


class Page(msgspec.Struct, Generic[Item]):
    """One page of a list; `total` is the number of all items."""

    items: list[Item]
    total: int
    limit: int
    offset: int


def ensure_plausible(*moments: object) -> None:
    """Raises ValueError for a year outside YEARS."""
    for moment in moments:
        if isinstance(moment, datetime) and moment.year not in YEARS:
            raise ValueError(f"expected a year from {YEARS[0]} to {YEARS[-1]}")


def one_of(kind: type[Choice], name: str, value: str | None) -> Choice | None:
    """Parse an enum query parameter. Raises InvalidInput, which lists the allowed values."""
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
    """Parse a timestamp query parameter in ISO 8601. Raises InvalidInput."""
    if value is None:
        return None
    try:
        return msgspec.convert(value, Moment)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"{name}: {error}", errors=[{"field": name, "message": str(error)}]
        ) from error


def names_of(kind: type[StrEnum], *more: str) -> dict[str, Any]:
    """Return the OpenAPI schema of a query parameter that is parsed by `one_of`."""
    return {"enum": [*kind, *more]}


def service(factory: Callable[[AsyncSession], Any]) -> Provide:
    """Build a dependency that creates a service on the request's session."""

    def provide(session: NamedDependency[AsyncSession]) -> Any:
        return factory(session)

    return Provide(provide, sync_to_thread=False)


class BodyGate(ASGIMiddleware):
    """Enforce content types and refuse cross-site changes without an Authorization header.

    Litestar parses JSON regardless of the content type, and browsers send text/plain and forms
    across sites without a preflight request (ASVS 5.0, 3.5.2). Forms are accepted only by routes
    that read one. Cross-site changes without an Authorization header are refused (3.5.1), which
    prevents login CSRF.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Any, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope["query_string"].count(b"&") >= PARAMETERS_MAX:  # Litestar caches parsed queries
            raise BadRequest(f"There are more than {PARAMETERS_MAX} query parameters.")
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
    """Return whether a route accepts bodies of this content type."""
    if {kind, ANY_TYPE}.intersection(handler.opt.get(BODY_TYPES, ())):
        return True
    if kind == JSON or (kind.startswith("application/") and kind.endswith("+json")):
        return True
    if kind == RequestEncodingType.MULTI_PART:
        return bool(handler.opt.get(OLDER_CLIENT) or _reads_form(handler))
    return kind == RequestEncodingType.URL_ENCODED and bool(handler.opt.get(OLDER_CLIENT))


def _expected(handler: Any) -> str:
    """Return an error message that names the accepted content type."""
    if accepted := handler.opt.get(BODY_TYPES):
        return f"Send a body as {' or '.join(accepted)}."
    if _reads_form(handler):
        return "Send a multipart/form-data body."
    return "Send a JSON body as application/json."


@cache
def _reads_form(handler: Any) -> bool:
    """Return whether a route accepts multipart/form-data, by its `opt` or its `data`."""
    body = handler.parsed_data_field
    kind = getattr(body.kwarg_definition, "media_type", None) if body else None
    return MULTIPART.items() <= handler.opt.items() or kind == RequestEncodingType.MULTI_PART
