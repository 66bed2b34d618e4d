"""Retention: one job deletes the rows of every table that has rules for it, a rule at a time."""

import logging
from collections.abc import Awaitable, Callable
from typing import ClassVar, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.queue import Job, for_each_in_transaction, handles, schedule

logger = logging.getLogger(__name__)

# Deletes what is past its retention; how many there were.
Delete = Callable[[AsyncSession], Awaitable[int]]


class Rule(NamedTuple):
    """What is deleted, as the log says it, and when."""

    what: str
    kept: str
    delete: Delete

    def __str__(self) -> str:
        return f"the retention of {self.what}"


rules: list[Rule] = []


def retention(what: str, *, kept: str) -> Callable[[Delete], Delete]:
    """Register a function that deletes rows of a kind once they were `kept` so long.

    docs/operate.md lists all of them.
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
    """One rule that fails holds up none of the others. Raises BatchFailed."""
    await for_each_in_transaction(rules, _apply)


async def _apply(session: AsyncSession, rule: Rule) -> bool:
    if deleted := await rule.delete(session):
        logger.info("deleted %d %s", deleted, rule.what)
    return bool(deleted)
