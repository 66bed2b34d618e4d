"""Which queue and which kind of job a worker fetches next, so that none of them starves.

Queues take turns. In a queue the highest priority goes first, and kinds of equal priority take
turns. Every fourth fetch goes to the job that was queued first, once it has waited for minutes:
an endless supply of urgent jobs slows the others down, and does not stop them. A kind never
occupies all of a worker's slots, so a flood of slow jobs leaves room for other kinds.
"""

from collections.abc import Iterable, Sequence

AGED_SECONDS = 120.0
AGED_EVERY = 4
# Slots that a single kind leaves free, where a worker has more than twice as many.
RESERVED_SLOTS = 2


class FairScheduler:
    """What one worker has fetched lately."""

    def __init__(self, concurrency: int) -> None:
        self._slots = concurrency
        self._fetched = 0
        self._last_queue = ""
        self._recent: list[str] = []

    def queues(self, queues: Sequence[str]) -> list[str]:
        """The queues in the order to ask them: the one after the last that had a job first."""
        if self._last_queue not in queues:
            return list(queues)
        after = queues.index(self._last_queue) + 1
        return [*queues[after:], *queues[:after]]

    @property
    def recent_kinds(self) -> list[str]:
        """Kinds by when they were fetched last, the latest last."""
        return self._recent

    def full_kinds(self, running: Iterable[str]) -> list[str]:
        """Kinds that occupy as many slots as one may; `running` names the kind of each job."""
        if self._slots <= 2 * RESERVED_SLOTS:
            return []
        names = list(running)
        return [name for name in set(names) if names.count(name) >= self._slots - RESERVED_SLOTS]

    @property
    def aged_seconds(self) -> float | None:
        """How long the first job has to have waited to be next; None when it is not its turn."""
        return AGED_SECONDS if self._fetched % AGED_EVERY == AGED_EVERY - 1 else None

    def record_fetch(self, queue: str, kind: str) -> None:
        """Note a fetch that found a job."""
        self._fetched += 1
        self._last_queue = queue
        if kind in self._recent:
            self._recent.remove(kind)
        self._recent.append(kind)
