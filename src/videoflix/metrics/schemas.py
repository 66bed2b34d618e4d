"""What the database knows about the installation's load."""

import msgspec

from videoflix.platform.queue.load import QueueLoad


class Load(msgspec.Struct, frozen=True):
    """Queues, streams and workers now.

    `transcode_speed`: in the last quarter of an hour, seconds of film for each second that a
    worker encoded; None when nothing was encoded.
    """

    queues: list[QueueLoad]
    live_streams: int
    workers: int
    stalled_files: dict[str, int]
    requeued_jobs: int
    transcode_speed: float | None
