"""What the database knows about the installation's load."""

import msgspec


class QueueLoad(msgspec.Struct, frozen=True):
    """Jobs of a queue, and how long the first of those that could run has waited."""

    queue: str
    todo: int
    doing: int
    oldest_seconds: float


class Load(msgspec.Struct, frozen=True):
    """Queues, streams and workers now.

    `transcode_speed`: in the last quarter of an hour, seconds of film for each second that a
    worker encoded; None when nothing was encoded.
    """

    queues: list[QueueLoad]
    live_streams: int
    workers: int
    transcode_speed: float | None
