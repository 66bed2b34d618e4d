"""What a job is: a payload that is stored as JSON, and how it wants to be run."""

from typing import ClassVar

import msgspec


class Job(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Work for later. The fields of a subclass are stored with the job."""

    # The task's name in the database: jobs that wait while the code changes keep it.
    name: ClassVar[str]
    # Names of earlier releases, of jobs that may still wait: they are done as this one.
    former_names: ClassVar[tuple[str, ...]] = ()
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 0
    # How often the job is tried, counting attempts that killed their worker.
    attempts: ClassVar[int] = 5
    # Seconds one attempt may take before it is stopped and counts as failed.
    deadline: ClassVar[float] = 600.0
    # The field that says what a job is about: jobs about one thing may all fail because of it.
    # Without one, all jobs of the kind are about the same.
    subject: ClassVar[str | None] = None
    # Whether a second job with the same fields is left out while one waits.
    unique: ClassVar[bool] = False

    @property
    def effective_priority(self) -> int:
        """Jobs of a queue run in this order, the highest first."""
        return self.priority

    @property
    def takes_turns(self) -> bool:
        """Whether jobs of this kind that are queued together share workers with those that wait.

        Then the n-th of them runs about when the n-th from now of every other group does.
        """
        return False

    @property
    def lock(self) -> str | None:
        """Jobs with the same lock run one after the other."""
        return None

    @property
    def unique_key(self) -> str | None:
        """Of jobs with the same key at most one waits; a second is not enqueued."""
        if not self.unique:
            return None
        return ":".join([self.name, *map(str, msgspec.structs.astuple(self))])
