"""What an error of Postgres means to those who ask: by its SQLSTATE, never by its text.

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
    """The database schema is not the one that this version needs."""

    headers: ClassVar = {"Retry-After": "10"}


class DatabaseFull(Unavailable):
    """The database's disk is full: nothing can be saved until an administrator makes room."""

    headers: ClassVar = {"Retry-After": "60"}


class ValueOutOfRange(BadRequest):
    """A value is larger than the database can hold, or of another kind than it expects."""


class ChangedMeanwhile(Conflict):
    """What this refers to was changed or removed at the same time; load it and try again."""


# The longest beginning of a SQLSTATE decides.
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
    """The SQLSTATE of an error, however often it was wrapped; empty if it has none."""
    cause: BaseException | None = error
    while cause is not None:
        if state := getattr(cause, "sqlstate", None):
            return str(state)
        if isinstance(cause, InterfaceError) and isinstance(cause, ValueError):
            return "22000"  # asyncpg found by itself that a parameter does not fit
        cause = getattr(cause, "orig", None) or cause.__cause__
    return ""


def driver_error_in(error: BaseException) -> DBAPIError | None:
    """The driver's error behind another one, such as Advanced Alchemy's RepositoryError."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, DBAPIError):
        cause = cause.__cause__ or cause.__context__
    return cause


def problem_of(error: BaseException) -> Problem | None:
    """What to tell about an error, if it is nobody's mistake."""
    state = sqlstate_of(error)
    kinds = [PROBLEMS[state[:length]] for length in (5, 2) if state[:length] in PROBLEMS]
    return kinds[0]() if kinds else None


def sentence_of(error: DBAPIError) -> str:
    """What Postgres said, in one line: neither the statement nor its parameters."""
    said = str(error.orig).partition(">: ")[2] or str(error.orig)
    return said.splitlines()[0] if said else type(error).__name__


def database_error_response(
    request: Request[Any, Any, Any], error: DBAPIError | RepositoryError
) -> Response[dict[str, Any]]:
    """A full disk, a schema of another version, a database that stops: 503 with a sentence."""
    found = driver_error_in(error)
    problem = problem_of(found) if found else None
    if problem is None:
        return internal_error_response(request, error)
    request.logger.error("the database refused: %s", one_line(found or error))
    return response_for(problem)
