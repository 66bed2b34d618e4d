"""Database operations of commands, with readable errors."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import msgspec
from click import ClickException, UsageError, prompt
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.platform.auth.identity import Role
from videoflix.platform.http.database_errors import (
    DatabaseFull,
    driver_error_in,
    problem_of,
    sentence_of,
)
from videoflix.platform.mail import queue_mail
from videoflix.platform.observability import logs
from videoflix.platform.postgres.migrations import upgrade
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Problem
from videoflix.settings import settings
from videoflix.user_admin.schemas import UserCreate
from videoflix.user_admin.service import UserAdmin
from videoflix.webhooks.service import store_events

# Importing the sink registers it: commands report events as well.
__all__ = ["add_admin", "create_admin", "errors_as_sentences", "migrate", "store_events"]

RETRY_SECONDS = 1.0

logger = logging.getLogger(__name__)

UNREACHABLE = (
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.ClientConfigurationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.PostgresConnectionError,
    asyncpg.TooManyConnectionsError,
    InterfaceError,
    OperationalError,
)
# Errors of this release's statements on the schema of another release.
OF_ANOTHER_SCHEMA = {
    asyncpg.NotNullViolationError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedTableError,
}


class DatabaseUnavailable(ClickException):
    """The database is temporarily unavailable."""


def migrate() -> None:
    """Upgrade the database schema. Raises ClickException."""
    with errors_as_sentences():
        upgrade()


def migrate_when_possible() -> None:
    """Wait for the database, then upgrade its schema. Raises ClickException."""
    logs.set_up()
    while True:
        try:
            with errors_as_sentences():
                upgrade()
        except DatabaseUnavailable as error:
            logger.warning("waiting for the database: %s", error.message)
            time.sleep(RETRY_SECONDS)
        else:
            return


async def create_admin(
    email: str, password: str, first_name: str, last_name: str, owner: bool
) -> None:
    """Create an administrator or owner. Raises ClickException."""
    role = Role.OWNER if owner else Role.ADMIN
    with errors_as_sentences():
        async with transaction() as session:
            await add_admin(session, email, password, first_name, last_name, role)


async def add_admin(
    session: AsyncSession,
    email: str,
    password: str,
    first_name: str = "",
    last_name: str = "",
    role: Role = Role.ADMIN,
) -> User:
    """Create an administrator. Raises msgspec.ValidationError, EmailTaken or WeakPassword."""
    new = msgspec.convert(
        {
            "email": email,
            "password": password,
            "first_name": first_name,
            "last_name": last_name,
            "role": role,
        },
        UserCreate,
    )
    user = await UserAdmin(session).add(new, by=None)
    url = f"{settings.site_url}/admin"
    await queue_mail(session, to=user.email, template="welcome-admin", values={"url": url})
    return user


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Convert errors that an operator can fix to a ClickException, without a traceback."""
    try:
        yield
    except Exception as error:
        sentence = sentence_for(error)
        if sentence is None:
            raise
        raise sentence from None


def sentence_for(error: Exception) -> ClickException | None:
    """Describe an error that is not a bug, without SQL and its parameters; else None."""
    if isinstance(error, Problem | msgspec.ValidationError):
        return ClickException(str(error))
    if isinstance(problem := problem_of(error), DatabaseFull):
        return DatabaseUnavailable(str(problem))
    if isinstance(error, UNREACHABLE):
        return DatabaseUnavailable(f"{_unreachable()}\n{_message_of(error)}")
    if isinstance(error, SQLAlchemyError | asyncpg.PostgresError) or driver_error_in(error):
        # Its message may quote the row: e-mail addresses, and the hash of a password.
        kind = _root_cause(error)
        if kind in OF_ANOTHER_SCHEMA:
            return ClickException(
                "The database schema does not match this release. Run `videoflix migrate`."
            )
        return ClickException(f"The database rejected this ({kind.__name__}); nothing was changed.")
    return None


def _message_of(error: BaseException) -> str:
    found = driver_error_in(error)
    return sentence_of(found) if found else str(error)


def _root_cause(error: BaseException) -> type[BaseException]:
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error)


def _unreachable() -> str:
    if settings.database_url:
        return "The database in DATABASE_URL is not available:"
    return "No database is running: start `videoflix up`, or set DATABASE_URL."


def ask_password(from_stdin: bool) -> str:
    """Read the password from standard input, VIDEOFLIX_PASSWORD, or a prompt. Raises UsageError."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = os.environ.get("VIDEOFLIX_PASSWORD") or prompt(
            "Password", hide_input=True, confirmation_prompt=True
        )
    if not password:
        raise UsageError("The password is empty.")
    return str(password)
