"""Base class of jobs: a payload stored as JSON, and its queueing options."""

from typing import ClassVar

import msgspec


class Job(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A unit of background work. The fields of a subclass are its stored arguments."""

    # The task name in the database. Do not change it: pending jobs refer to it.
    name: ClassVar[str]
    # Names of earlier releases, of jobs that may still wait: they are done as this one.
    former_names: ClassVar[tuple[str, ...]] = ()
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 0
    # Maximum number of attempts, including those that crashed their worker.
    attempts: ClassVar[int] = 5
    # Timeout of one attempt in seconds; an attempt that exceeds it counts as failed.
    deadline: ClassVar[float] = 600.0
    # The field that holds the job's subject, such as a video: failures of one subject count once
    # for the circuit breaker. Without one, all jobs of the kind share a subject.
    subject: ClassVar[str | None] = None
    # Whether a job is not enqueued while one with the same fields is pending.
    unique: ClassVar[bool] = False

    @property
    def effective_priority(self) -> int:
        """Priority within the queue, higher first."""
        return self.priority

    @property
    def takes_turns(self) -> bool:
        """Whether groups of jobs enqueued together are interleaved (start-time fair queueing).

        The n-th job of a new group then runs at about the same time as the n-th pending job
        of every other group.
        """
        return False

    @property
    def lock(self) -> str | None:
        """Jobs with the same lock run one at a time."""
        return None

    @property
    def unique_key(self) -> str | None:
        """At most one job with the same key is pending; a duplicate is not enqueued."""
        if not self.unique:
            return None
        return ":".join([self.name, *map(str, msgspec.structs.astuple(self))])
