"""Retention: one job applies the rules that delete expired rows."""

import logging
from collections.abc import Awaitable, Callable
from typing import ClassVar, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.queue import Job, for_each_in_transaction, handles, schedule

logger = logging.getLogger(__name__)

# Deletes expired rows and returns their number.
Delete = Callable[[AsyncSession], Awaitable[int]]


class Rule(NamedTuple):
    """What is deleted, as named in the log, and after how long."""

    what: str
    kept: str
    delete: Delete

    def __str__(self) -> str:
        return f"the retention of {self.what}"


rules: list[Rule] = []


def retention(what: str, *, kept: str) -> Callable[[Delete], Delete]:
    """Register a function that deletes rows past their retention period `kept`.

    docs/operate.md lists all rules.
    """

    def register(delete: Delete) -> Delete:
        rules.append(Rule(what, kept, delete))
        return delete

    return register


class DeleteExpired(Job):
    """Delete e-mails, links, sign-ins, cached answers and security events past their retention."""

    name: ClassVar = "retention.delete_expired"
    former_names: ClassVar = (
        "audit.forget",
        "idempotency.sweep",
        "mail.sweep",
        "movies.sweep",
        "registration.sweep_links",
        "sessions.sweep",
    )
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("40 * * * *", DeleteExpired())


@handles(DeleteExpired)
async def delete_expired(job: DeleteExpired) -> None:
    """Apply each rule in its own transaction. Raises BatchFailed at the end if any failed."""
    await for_each_in_transaction(rules, _apply)


async def _apply(session: AsyncSession, rule: Rule) -> bool:
    if deleted := await rule.delete(session):
        logger.info("deleted %d %s", deleted, rule.what)
    return bool(deleted)
