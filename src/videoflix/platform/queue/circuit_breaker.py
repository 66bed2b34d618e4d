"""A circuit breaker between a worker and a queue.

A worker on a broken machine fails fast and would fetch, and fail, more jobs than all others.
When jobs of several different subjects fail in a row, or a self-test fails, the breaker opens
and nothing is fetched. The worker repeats its self-tests with exponential backoff; once they
pass, the breaker is half open: one job is tried, and its success closes the breaker.
Source: Nygard, Release It!, "Circuit Breaker".
"""

import time
from enum import StrEnum

FIRST_PROBE_SECONDS = 2.0


class BreakerState(StrEnum):
    """Closed: jobs are fetched. Open: none is. Half open: a single trial job is."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Open after `threshold` consecutive failures of distinct subjects.

    `longest` is the maximum delay between probes, in seconds.
    """

    def __init__(self, threshold: int, longest: float) -> None:
        self._threshold, self._longest = threshold, longest
        self._failed: dict[str, str] = {}  # reason of the last failure, by subject
        self._trial_running = False
        self._pause = 0.0
        self.state = BreakerState.CLOSED
        self.reason = ""
        self.next_probe = 0.0  # on the clock of time.monotonic()

    @property
    def allows_fetch(self) -> bool:
        if self.state is BreakerState.HALF_OPEN:
            return not self._trial_running
        return self.state is BreakerState.CLOSED

    @property
    def probe_is_due(self) -> bool:
        return self.state is BreakerState.OPEN and time.monotonic() >= self.next_probe

    def record_fetch(self) -> None:
        self._trial_running = self.state is BreakerState.HALF_OPEN

    def record_success(self) -> bool:
        """Record a successful job; return whether it closed the breaker."""
        closes = self.state is BreakerState.HALF_OPEN
        if closes:
            self.close()
        self._failed.clear()
        return closes

    def record_failure(self, subject: str, reason: str) -> bool:
        """Record a failed job; return whether it opened the breaker."""
        self._failed[subject] = reason
        if self.state is BreakerState.HALF_OPEN:
            self.open(reason)
            return True
        if self.state is BreakerState.CLOSED and len(self._failed) >= self._threshold:
            self.open(
                f"{len(self._failed)} different jobs failed in a row, the last with: {reason}"
            )
            return True
        return False

    def record_inconclusive(self) -> None:
        """Record a job whose outcome says nothing about this machine."""
        self._trial_running = False

    def open(self, reason: str) -> None:
        """Stop fetching until a probe passes, doubling the delay before the next probe."""
        self.state, self.reason, self._trial_running = BreakerState.OPEN, reason, False
        self._pause = min(max(self._pause * 2, FIRST_PROBE_SECONDS), self._longest)
        self.next_probe = time.monotonic() + self._pause

    def half_open(self) -> None:
        """Allow one trial job after a probe passed."""
        self.state, self._trial_running = BreakerState.HALF_OPEN, False

    def close(self) -> None:
        self.state, self.reason, self._pause = BreakerState.CLOSED, "", 0.0
        self._failed.clear()
