"""Fair scheduling: which queue and kind of job a worker fetches next, without starvation.

Queues are served round robin. Within a queue the highest priority goes first, and kinds of equal
priority are served round robin. Every fourth fetch takes the oldest job once it has waited
AGED_SECONDS (aging), so a steady supply of urgent jobs cannot starve the others. No kind occupies
all slots of a worker, so a burst of slow jobs leaves room for other kinds.
"""

from collections.abc import Iterable, Sequence

AGED_SECONDS = 120.0
AGED_EVERY = 4
# Slots a single kind has to leave free, on workers with more than twice as many slots.
RESERVED_SLOTS = 2


class FairScheduler:
    """Fair scheduling state of one worker."""

    def __init__(self, concurrency: int) -> None:
        self._slots = concurrency
        self._fetched = 0
        self._last_queue = ""
        self._recent: list[str] = []

    def queues(self, queues: Sequence[str]) -> list[str]:
        """Return the queues in polling order, starting after the one that last yielded a job."""
        if self._last_queue not in queues:
            return list(queues)
        after = queues.index(self._last_queue) + 1
        return [*queues[after:], *queues[:after]]

    @property
    def recent_kinds(self) -> list[str]:
        """Kinds in order of their last fetch, the most recent last."""
        return self._recent

    def full_kinds(self, running: Iterable[str]) -> list[str]:
        """Return the kinds at their slot limit; `running` holds the kind of each running job."""
        if self._slots <= 2 * RESERVED_SLOTS:
            return []
        names = list(running)
        return [name for name in set(names) if names.count(name) >= self._slots - RESERVED_SLOTS]

    @property
    def aged_seconds(self) -> float | None:
        """Minimum wait of the oldest job to be fetched next; None if this is not an aging fetch."""
        return AGED_SECONDS if self._fetched % AGED_EVERY == AGED_EVERY - 1 else None

    def record_fetch(self, queue: str, kind: str) -> None:
        """Record a fetch that returned a job."""
        self._fetched += 1
        self._last_queue = queue
        if kind in self._recent:
            self._recent.remove(kind)
        self._recent.append(kind)
