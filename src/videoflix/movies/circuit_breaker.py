"""A circuit breaker: requests to a failing service are suspended for a while."""

import time
from collections.abc import Callable

FAILURES = 5
PAUSE_SECONDS = 10.0


class CircuitBreaker:
    """Opens after `failures` in a row; after `pause` seconds, one trial request (half-open).

    Call `wait()` before each request, and if it returned 0 one of the other methods after it.
    """

    def __init__(
        self,
        failures: int = FAILURES,
        pause: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._pause = pause
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0
        self._is_trying = False

    def wait(self) -> float:
        """Seconds until the next request is allowed; 0 if it is allowed now."""
        if self._failures < self._limit:
            return 0.0
        wait = self._open_until - self._clock()
        if wait <= 0 and not self._is_trying:
            self._is_trying = True
            return 0.0
        return max(wait, 1.0)

    def succeeded(self) -> None:
        self._failures = 0
        self._is_trying = False

    def failed(self) -> None:
        self._failures += 1
        self._is_trying = False
        if self._failures >= self._limit:
            self._open_until = self._clock() + self._pause

    def cancelled(self) -> None:
        """The request was cancelled, which says nothing about the service."""
        self._is_trying = False
