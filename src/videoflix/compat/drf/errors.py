"""Errors in the format of Django REST framework, which all older backends used."""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import MediaType, Request, Response
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap

from videoflix.catalog.service import CategoryNotFound, VideoNotFound
from videoflix.platform.problems import (
    Forbidden,
    NotFound,
    Problem,
    Unauthorized,
    UnsupportedMediaType,
)
from videoflix.platform.rate_limit.bucket import TooManyAttempts

NON_FIELD = "non_field_errors"
REQUIRED = "This field is required."
BLANK = "This field may not be blank."
SIGN_IN = "Authentication credentials were not provided."
NOT_ALLOWED = "You do not have permission to perform this action."
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="api"'}
# Key in `opt` with the methods of a path, for the header Allow.
ALLOWED = "allowed"
PARSED = (
    RequestEncodingType.JSON,
    RequestEncodingType.URL_ENCODED,
    RequestEncodingType.MULTI_PART,
)
# Django's model names in "No … matches the given query."
MODELS: dict[type[Problem], str] = {VideoNotFound: "Video", CategoryNotFound: "Category"}


class DrfError(Exception):
    """An error with a body in the older format; rolls the transaction back."""

    def __init__(
        self,
        body: object,
        status: int = HTTPStatus.BAD_REQUEST,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(str(body))
        self.body = body
        self.status = int(status)
        self.headers = headers or {}


def field_error(name: str, *texts: str) -> DrfError:
    return DrfError({name: list(texts)})


def not_found(model: str) -> DrfError:
    return DrfError({"detail": f"No {model} matches the given query."}, HTTPStatus.NOT_FOUND)


async def method_not_allowed(request: Request[Any, Any, Any]) -> None:
    """Handle methods that a path does not support (405)."""
    raise DrfError(
        {"detail": f'Method "{request.method}" not allowed.'},
        HTTPStatus.METHOD_NOT_ALLOWED,
        {"Allow": request.route_handler.opt[ALLOWED]},
    )


async def metadata(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Describe a path to clients that ask by OPTIONS."""
    words = [part for part in request.url.path.split("/") if part.isalpha()]
    body = {
        "name": " ".join(words[-2:]).title() or "Api Root",
        "description": "",
        "renders": ["application/json"],
        "parses": [kind.value for kind in PARSED],
    }
    return Response(body, headers={"Allow": request.route_handler.opt[ALLOWED]})


def drf_error_response(request: Request[Any, Any, Any], error: DrfError) -> Response[bytes]:
    """Encode the body as JSON; Litestar would send a bare string without quotes."""
    return Response(
        msgspec.json.encode(error.body),
        status_code=error.status,
        headers=error.headers,
        media_type=MediaType.JSON,
    )


def problem_response(request: Request[Any, Any, Any], error: Problem) -> Response[Any]:
    """Convert a problem: field errors, or one sentence."""
    if fields := error.members.get("errors"):
        body: dict[str, Any] = {}
        for wrong in fields:
            body.setdefault(wrong["field"] or NON_FIELD, []).append(wrong["message"])
        return Response(body, status_code=error.status)
    headers = error.response_headers() | (CHALLENGE if isinstance(error, Unauthorized) else {})
    return Response({"detail": _text(request, error)}, status_code=error.status, headers=headers)


def validation_response(
    request: Request[Any, Any, Any], error: ValidationException
) -> Response[Any]:
    """Convert Litestar's validation errors of paths and queries."""
    found = error.extra if isinstance(error.extra, list) else []
    body = {str(item.get("key")): [str(item.get("message"))] for item in found}
    return Response(body or {"detail": error.detail}, status_code=HTTPStatus.BAD_REQUEST)


def http_error_response(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Convert Litestar's errors; details of 5xx are not disclosed."""
    phrase = HTTPStatus(error.status_code).phrase
    text = phrase if error.status_code >= 500 else error.detail
    return Response(
        {"detail": text}, status_code=error.status_code, headers=dict(error.headers or {})
    )


def _text(request: Request[Any, Any, Any], error: Problem) -> str:
    """The older backend's text if it had one, else ours."""
    kind = type(error)
    if kind in MODELS:
        return f"No {MODELS[kind]} matches the given query."
    if isinstance(error, TooManyAttempts):
        return f"Request was throttled. Expected available in {error.seconds} seconds."
    if kind is UnsupportedMediaType:
        sent = request.headers.get("content-type", "")
        return f'Unsupported media type "{sent}" in request.'
    theirs = {Unauthorized: SIGN_IN, Forbidden: NOT_ALLOWED, NotFound: "Not found."}
    return theirs.get(kind) or error.detail or error.__doc__ or ""


error_shapes: ExceptionHandlersMap = {
    DrfError: drf_error_response,
    Problem: problem_response,
    ValidationException: validation_response,
    HTTPException: http_error_response,
}
