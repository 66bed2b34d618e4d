"""Health checks with timeouts and shared, cached results."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from videoflix.operations.schemas import Check
from videoflix.platform.postgres.session import alchemy

CHECK_SECONDS = 3.0
NOT_CHECKED = Check(False, "Not checked: the database is unavailable.")

Checks = Mapping[str, Callable[[], Awaitable[Check]]]


class SharedChecks:
    """Run checks, caching the results for `kept_seconds`.

    The `database` checks run in sequence; if the first one fails, the others are skipped.
    """

    def __init__(self, database: Checks, others: Checks, *, kept_seconds: float) -> None:
        self._database_checks = database
        self._other_checks = others
        self._kept_seconds = kept_seconds
        self._running: asyncio.Task[dict[str, Check]] | None = None
        self._until = 0.0
        self._database: object = None

    async def results(self) -> dict[str, Check]:
        """Return the results by name; a check that raises or exceeds CHECK_SECONDS is not ok."""
        database = alchemy.session_maker  # results are invalid for another database
        expired = time.monotonic() > self._until or database is not self._database
        if self._running is None or (self._running.done() and expired):
            self._database = database
            self._running = asyncio.create_task(self._run())
        return await asyncio.shield(self._running)

    async def _run(self) -> dict[str, Check]:
        others = asyncio.gather(*[_with_timeout(check) for check in self._other_checks.values()])
        found = await self._check_database()
        found |= dict(zip(self._other_checks, await others, strict=True))
        self._until = time.monotonic() + self._kept_seconds
        return found

    async def _check_database(self) -> dict[str, Check]:
        found: dict[str, Check] = {}
        for name, check in self._database_checks.items():
            unavailable = found and not next(iter(found.values())).ok
            found[name] = NOT_CHECKED if unavailable else await _with_timeout(check)
        return found


async def _with_timeout(check: Callable[[], Awaitable[Check]]) -> Check:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return Check(False, f"No response within {CHECK_SECONDS:g} seconds.")
    except Exception as error:  # any error is the result of the check
        lines = str(error).splitlines()
        return Check(False, lines[0] if lines else type(error).__name__)
