"""What a worker checks of its machine before it fetches from a queue.

A domain registers the checks of its queue: each returns when all is well, and raises otherwise.
"""

import asyncio
from collections.abc import Awaitable, Callable

from videoflix.platform.queue.retry import TransientError

SelfTest = Callable[[], Awaitable[None]]

PATIENCE_SECONDS = 60.0

# By queue, then by what is tested, in the order in which they were registered.
self_tests: dict[str, dict[str, SelfTest]] = {}


def self_test(queue: str, subject: str) -> Callable[[SelfTest], SelfTest]:
    """Register a check of what jobs of a queue need, named after its subject."""

    def register(test: SelfTest) -> SelfTest:
        self_tests.setdefault(queue, {})[subject] = test
        return test

    return register


async def failing(queue: str) -> str | None:
    """What the first failing self-test of a queue says, or None when all pass."""
    for subject, test in self_tests.get(queue, {}).items():
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await test()
        except TimeoutError:
            return f"{subject}: no result within {PATIENCE_SECONDS:g} seconds"
        except Exception as error:  # whatever it is: this machine is not fit for the queue
            said = error.reason if isinstance(error, TransientError) else str(error)
            return f"{subject}: {' '.join(said.split())[:500] or type(error).__name__}"
    return None
