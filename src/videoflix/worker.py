"""The worker process: `videoflix worker --role all`.

Plain `procrastinate --app=videoflix.worker.queue worker` runs the same jobs.
"""

import asyncio
import logging
from contextlib import suppress

from videoflix.media import jobs as media_jobs
from videoflix.operations import service as operations_service
from videoflix.platform.queue import queue
from videoflix.platform.reaper import reap_for_ever

__all__ = ["media_jobs", "operations_service", "queue", "run"]

# One film's chunk fills a machine; mail and the like wait for others most of the time.
ROLES: dict[str, tuple[list[str], int]] = {
    "transcode": (["transcode"], 1),
    "default": (["default"], 10),
    "all": (["transcode", "default"], 1),
}


def run(role: str) -> None:
    """Work on the queues of a role until told to stop (SIGTERM or SIGINT)."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    asyncio.run(_work(role))


async def _work(role: str) -> None:
    queues, concurrency = ROLES[role]
    async with queue.open_async():
        reaper = asyncio.create_task(reap_for_ever())
        try:
            await queue.run_worker_async(
                name=role, queues=queues, concurrency=concurrency, install_signal_handlers=True
            )
        finally:
            reaper.cancel()
            with suppress(asyncio.CancelledError):
                await reaper
