"""Map Postgres errors to problems by SQLSTATE.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from typing import Any, ClassVar

from advanced_alchemy.exceptions import RepositoryError
from asyncpg import InterfaceError
from litestar import Request, Response
from sqlalchemy.exc import DBAPIError

from videoflix.platform.postgres.session import one_line
from videoflix.platform.problems import (
    BadRequest,
    Conflict,
    Problem,
    Unavailable,
    internal_error_response,
    response_for,
)


class SchemaOutdated(Unavailable):
    """The database schema does not match this version."""

    headers: ClassVar = {"Retry-After": "10"}


class DatabaseFull(Unavailable):
    """The database's disk is full; nothing can be saved until an administrator frees space."""

    headers: ClassVar = {"Retry-After": "60"}


class ValueOutOfRange(BadRequest):
    """A value is out of range or of the wrong type for the database."""


class ChangedMeanwhile(Conflict):
    """The resource was changed or deleted in the meantime; reload it and try again."""


# By SQLSTATE or class; the longest prefix wins.
PROBLEMS: dict[str, type[Problem]] = {
    "3F000": SchemaOutdated,  # invalid_schema_name
    "42P01": SchemaOutdated,  # undefined_table
    "42703": SchemaOutdated,  # undefined_column
    "42883": SchemaOutdated,  # undefined_function
    "53100": DatabaseFull,  # disk_full
    "08": Unavailable,  # connection_exception
    "22": ValueOutOfRange,  # data_exception
    "23001": ChangedMeanwhile,  # restrict_violation
    "23503": ChangedMeanwhile,  # foreign_key_violation
    "25006": Unavailable,  # read_only_sql_transaction: a standby
    "53": Unavailable,  # insufficient_resources
    "57": Unavailable,  # operator_intervention, statement_timeout included
    "58": Unavailable,  # system_error
}


def sqlstate_of(error: BaseException) -> str:
    """Return the SQLSTATE of an error, searching wrapped errors; "" if there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if state := getattr(cause, "sqlstate", None):
            return str(state)
        if isinstance(cause, InterfaceError) and isinstance(cause, ValueError):
            return "22000"  # asyncpg rejected a parameter before sending it
        cause = getattr(cause, "orig", None) or cause.__cause__
    return ""


def driver_error_in(error: BaseException) -> DBAPIError | None:
    """Return the driver's error wrapped in another one, such as RepositoryError."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, DBAPIError):
        cause = cause.__cause__ or cause.__context__
    return cause


def problem_of(error: BaseException) -> Problem | None:
    """Return the problem of a known SQLSTATE, or None."""
    state = sqlstate_of(error)
    kinds = [PROBLEMS[state[:length]] for length in (5, 2) if state[:length] in PROBLEMS]
    return kinds[0]() if kinds else None


def sentence_of(error: DBAPIError) -> str:
    """Return the message of Postgres in one line, without statement and parameters."""
    message = str(error.orig).partition(">: ")[2] or str(error.orig)
    return message.splitlines()[0] if message else type(error).__name__


def database_error_response(
    request: Request[Any, Any, Any], error: DBAPIError | RepositoryError
) -> Response[dict[str, Any]]:
    """Respond with the problem of a database error, or 500."""
    found = driver_error_in(error)
    problem = problem_of(found) if found else None
    if problem is None:
        return internal_error_response(request, error)
    request.logger.error("database error: %s", one_line(found or error))
    return response_for(problem)
