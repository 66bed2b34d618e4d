"""A circuit breaker between a worker and a queue.

A worker on a broken machine fails fast, and would fetch and fail more than all others. When jobs
of several different subjects fail in a row, or a self-test does, the breaker opens: nothing is
fetched. The worker tests itself with a growing pause; once it passes, one job is tried, and its
success closes the breaker. See Nygard, Release It!, "Circuit Breaker".
"""

import time
from enum import StrEnum

FIRST_PROBE_SECONDS = 2.0


class BreakerState(StrEnum):
    """Closed: jobs are fetched. Open: none is. Half open: one is, to see how it ends."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """`threshold` counts different subjects that fail in a row, `longest` pauses between probes."""

    def __init__(self, threshold: int, longest: float) -> None:
        self._threshold, self._longest = threshold, longest
        self._failed: dict[str, str] = {}  # subjects, and what was wrong with each
        self._trial_runs = False
        self._pause = 0.0
        self.state = BreakerState.CLOSED
        self.reason = ""
        self.next_probe = 0.0  # of time.monotonic()

    @property
    def allows_fetch(self) -> bool:
        """Whether a job may be fetched now."""
        if self.state is BreakerState.HALF_OPEN:
            return not self._trial_runs
        return self.state is BreakerState.CLOSED

    @property
    def probe_is_due(self) -> bool:
        return self.state is BreakerState.OPEN and time.monotonic() >= self.next_probe

    def record_fetch(self) -> None:
        self._trial_runs = self.state is BreakerState.HALF_OPEN

    def record_success(self) -> bool:
        """A job ended well; whether that closed the breaker."""
        closes = self.state is BreakerState.HALF_OPEN
        if closes:
            self.close()
        self._failed.clear()
        return closes

    def record_failure(self, subject: str, reason: str) -> bool:
        """A job failed; whether that opened the breaker."""
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
        """A job ended in a way that proves nothing about this machine."""
        self._trial_runs = False

    def open(self, reason: str) -> None:
        """Fetch nothing until a probe passes; each time it takes longer until the next one."""
        self.state, self.reason, self._trial_runs = BreakerState.OPEN, reason, False
        self._pause = min(max(self._pause * 2, FIRST_PROBE_SECONDS), self._longest)
        self.next_probe = time.monotonic() + self._pause

    def half_open(self) -> None:
        """The probe passed: try one job."""
        self.state, self._trial_runs = BreakerState.HALF_OPEN, False

    def close(self) -> None:
        self.state, self.reason, self._pause = BreakerState.CLOSED, "", 0.0
        self._failed.clear()
