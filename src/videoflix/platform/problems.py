"""Domain errors and their representation as problems (RFC 9457, application/problem+json).

Problem
├── NotFound          404
├── Conflict          409
├── BadRequest          400
├── Unauthorized      401
├── Forbidden         403
└── Unavailable       503

The docstring of each subclass is its title, shown to users.
"""

import re
from enum import IntEnum
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from videoflix.platform.postgres.session import database_unavailable, one_line

PROBLEM_JSON = "application/problem+json"


class Problem(Exception):
    """Something went wrong on our side."""

    status: ClassVar[IntEnum] = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: ClassVar[dict[str, str]] = {}
    slug: ClassVar[str] = ""  # the last part of `type`, if it differs from the class name

    def __init__(self, detail: str = "", **members: Any) -> None:
        super().__init__(detail or self.__doc__)
        self.detail = detail
        self.members = members

    def response_headers(self) -> dict[str, str]:
        """Return the headers of the response."""
        return dict(self.headers)


class NotFound(Problem):
    """This doesn't exist or isn't available to you."""

    status = HTTPStatus.NOT_FOUND


class Conflict(Problem):
    """This conflicts with the current state."""

    status = HTTPStatus.CONFLICT


class BadRequest(Problem):
    """The request is malformed."""

    slug: ClassVar[str] = "bad-input"
    status = HTTPStatus.BAD_REQUEST


class InvalidInput(BadRequest):
    """Some values are invalid."""


class Unauthorized(Problem):
    """Sign in first."""

    slug: ClassVar[str] = "sign-in-needed"
    status = HTTPStatus.UNAUTHORIZED
    headers: ClassVar = {"WWW-Authenticate": 'Bearer realm="videoflix"'}


class Forbidden(Problem):
    """Your role does not allow this."""

    status = HTTPStatus.FORBIDDEN


class UnsupportedMediaType(Problem):
    """This endpoint does not accept this content type."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Unavailable(Problem):
    """The service is temporarily unavailable; try again shortly."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar = {"Retry-After": "2"}


class ProblemBody(msgspec.Struct):
    """A problem (RFC 9457), possibly with further members."""

    type: str
    title: str
    status: int
    detail: str


def problems(*kinds: type[Problem]) -> dict[int, ResponseSpec]:
    """Document the error responses of an endpoint: `@get(responses=problems(...))`."""
    titles: dict[int, list[str]] = {}
    for kind in kinds:
        titles.setdefault(kind.status.value, []).append(f"`{kind_of(kind)}`: {kind.__doc__}")
    return {
        status: ResponseSpec(
            ProblemBody,
            description=" ".join(sentences),
            media_type=PROBLEM_JSON,
            generate_examples=False,
        )
        for status, sentences in titles.items()
    }


def kind_of(problem: type[Problem]) -> str:
    """Return the stable last part of a problem's `type`, such as `video-not-found`."""
    own: str = problem.__dict__.get("slug", "")
    return own or re.sub(r"(?<!^)(?=[A-Z])", "-", problem.__name__).lower()


def problem_response(request: Request[Any, Any, Any], error: Problem) -> Response[dict[str, Any]]:
    return response_for(error)


def response_for(error: Problem) -> Response[dict[str, Any]]:
    return _response(problem_body(error), error.response_headers())


def problem_body(error: Problem) -> dict[str, Any]:
    """Return the members of a problem; those of RFC 9457 override extensions."""
    title = error.__doc__ or ""
    return {
        **error.members,
        "type": f"/problems/{kind_of(type(error))}",
        "title": title,
        "status": error.status.value,
        "detail": error.detail or title,
    }


def http_error_response(
    request: Request[Any, Any, Any], error: HTTPException
) -> Response[dict[str, Any]]:
    """Litestar's own errors (routing, methods, sizes) in the same format."""
    phrase = HTTPStatus(error.status_code).phrase
    body = {
        "type": "about:blank",
        "title": phrase,
        "status": error.status_code,
        "detail": phrase if error.status_code >= 500 else error.detail,
    }
    return _response(body, dict(error.headers or {}))


def validation_response(
    request: Request[Any, Any, Any], error: ValidationException
) -> Response[dict[str, Any]]:
    """Convert a validation error to a problem that names each field."""
    found = error.extra if isinstance(error.extra, list) else []
    errors = [
        {"field": wire_name(request, item.get("key")), "message": sentence_of(item)}
        for item in found
        if isinstance(item, dict)
    ]
    detail = "; ".join(f"{e['field']}: {e['message']}".lstrip(": ") for e in errors)
    return response_for(InvalidInput(detail or error.detail, errors=errors))


def sentence_of(item: dict[str, Any]) -> str:
    """Return the message of one validation error, without patterns and Python names."""
    message = str(item.get("message", ""))
    if message == repr(item.get("key")):
        return "is missing; send a JSON body"
    return "has an invalid format" if "matching regex" in message else message


def wire_name(request: Request[Any, Any, Any], key: object) -> str:
    """Return a field's name on the wire, which may differ from the parameter's name."""
    parameter = request.route_handler.parsed_fn_signature.parameters.get(str(key))
    name = getattr(parameter.kwarg_definition, "name", None) if parameter else None
    return str(name or key or "")


def database_response(
    request: Request[Any, Any, Any],
    error: InterfaceError | OperationalError | PoolTimeoutError | OSError,
) -> Response[dict[str, Any]]:
    """Respond with 503 and Retry-After if Postgres is unavailable."""
    request.logger.error("database unavailable: %s", one_line(error))
    return response_for(Unavailable())


def unreadable_response(
    request: Request[Any, Any, Any], error: RecursionError | UnicodeError
) -> Response[dict[str, Any]]:
    """Respond with 400 to bodies that are nested too deeply or not UTF-8."""
    kind = type(error).__name__  # no traceback: clients could flood the log
    request.logger.warning("invalid body (%s): %s %s", kind, request.method, request.url.path)
    return response_for(BadRequest("The body is not JSON in UTF-8, or is nested too deeply."))


def internal_error_response(
    request: Request[Any, Any, Any], error: Exception
) -> Response[dict[str, Any]]:
    """Respond to an unhandled exception with 500, logging its traceback.

    Deadlocks and lock or statement timeouts changed nothing and become 503.
    """
    if database_unavailable(error):
        request.logger.warning("database unavailable: %s", one_line(error))
        return response_for(Unavailable())
    request.logger.error("unhandled error", exc_info=error)
    return response_for(Problem())


def _response(body: dict[str, Any], headers: dict[str, str]) -> Response[dict[str, Any]]:
    return Response(body, status_code=body["status"], media_type=PROBLEM_JSON, headers=headers)
