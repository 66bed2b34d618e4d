"""Self-tests that a worker runs before it fetches from a queue.

A domain registers the tests of its queue; a test raises if the machine is unfit.
"""

import asyncio
from collections.abc import Awaitable, Callable

from videoflix.platform.queue.retry import TransientError

SelfTest = Callable[[], Awaitable[None]]

TIMEOUT_SECONDS = 60.0

# By queue, then by subject, in order of registration.
self_tests: dict[str, dict[str, SelfTest]] = {}


def self_test(queue: str, subject: str) -> Callable[[SelfTest], SelfTest]:
    """Register a test of `subject`, a precondition of the jobs of a queue."""

    def register(test: SelfTest) -> SelfTest:
        self_tests.setdefault(queue, {})[subject] = test
        return test

    return register


async def failing(queue: str) -> str | None:
    """Run the self-tests of a queue; return the first failure, or None if all pass."""
    for subject, test in self_tests.get(queue, {}).items():
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await test()
        except TimeoutError:
            return f"{subject}: no result within {TIMEOUT_SECONDS:g} seconds"
        except Exception as error:  # any failure makes this machine unfit for the queue
            message = error.reason if isinstance(error, TransientError) else str(error)
            return f"{subject}: {' '.join(message.split())[:500] or type(error).__name__}"
    return None
