"""Health checks that cost little however often somebody asks, and never take long."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from videoflix.operations.schemas import Check
from videoflix.platform.postgres.session import alchemy

CHECK_SECONDS = 3.0
NOT_CHECKED = Check(False, "Not checked: the database does not answer.")

Checks = Mapping[str, Callable[[], Awaitable[Check]]]


class SharedChecks:
    """Runs some checks; everybody who asks within `kept_seconds` gets the same results.

    The `database` checks run one after the other, and not at all when the first one fails.
    """

    def __init__(self, database: Checks, others: Checks, *, kept_seconds: float) -> None:
        self._database_checks = database
        self._other_checks = others
        self._kept_seconds = kept_seconds
        self._running: asyncio.Task[dict[str, Check]] | None = None
        self._until = 0.0
        self._database: object = None

    async def results(self) -> dict[str, Check]:
        """By name; a check that fails, or takes longer than CHECK_SECONDS, is not ok."""
        database = alchemy.session_maker  # results are about the database in use
        expired = time.monotonic() > self._until or database is not self._database
        if self._running is None or (self._running.done() and expired):
            self._database = database
            self._running = asyncio.create_task(self._run())
        return await asyncio.shield(self._running)

    async def _run(self) -> dict[str, Check]:
        others = asyncio.gather(*[_in_time(check) for check in self._other_checks.values()])
        found = await self._ask_database()
        found |= dict(zip(self._other_checks, await others, strict=True))
        self._until = time.monotonic() + self._kept_seconds
        return found

    async def _ask_database(self) -> dict[str, Check]:
        found: dict[str, Check] = {}
        for name, check in self._database_checks.items():
            away = found and not next(iter(found.values())).ok
            found[name] = NOT_CHECKED if away else await _in_time(check)
        return found


async def _in_time(check: Callable[[], Awaitable[Check]]) -> Check:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return Check(False, f"No answer within {CHECK_SECONDS:g} seconds.")
    except Exception as error:  # whatever it was, it is the check's result
        said = str(error).splitlines()
        return Check(False, said[0] if said else type(error).__name__)
