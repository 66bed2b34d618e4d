"""Schema of the installation's load."""

import msgspec

from videoflix.platform.queue.load import QueueLoad


class Load(msgspec.Struct, frozen=True):
    """Current queues, streams and workers.

    `transcode_speed`: seconds of video encoded per second of a worker's time, over the last 15
    minutes; None if nothing was encoded.
    """

    queues: list[QueueLoad]
    live_streams: int
    workers: int
    stalled_files: dict[str, int]
    requeued_jobs: int
    transcode_speed: float | None
