"""The worker process: `videoflix worker --role all`.

Plain `procrastinate --app=videoflix.worker.queue worker` runs the same jobs in the same way.
"""

import asyncio
import logging

from videoflix.audit import jobs as audit_jobs
from videoflix.backup import jobs as transfer_jobs
from videoflix.billing import jobs as billing_jobs
from videoflix.catalog import jobs as catalog_jobs
from videoflix.library import jobs as library_jobs
from videoflix.media import jobs as media_jobs
from videoflix.movies import jobs as movies_jobs
from videoflix.platform.http import idempotency
from videoflix.platform.mail import jobs as mail_jobs
from videoflix.platform.observability import logs
from videoflix.platform.postgres.migrations import newest_revision
from videoflix.platform.process.scratch import sweep_scratch
from videoflix.platform.queue import queue
from videoflix.platform.queue.app import limit_connections
from videoflix.platform.queue.manager import DatabaseUnavailable, ResilientJobManager
from videoflix.platform.queue.startup_signals import startup_signals
from videoflix.platform.queue.worker import check_process
from videoflix.platform.rate_limit import bucket
from videoflix.platform.storage.installation import claiming_storage
from videoflix.playback import jobs as playback_jobs
from videoflix.registration import jobs as registration_jobs
from videoflix.sessions import jobs as sessions_jobs

__all__ = [
    "ROLES",
    "audit_jobs",
    "billing_jobs",
    "bucket",
    "catalog_jobs",
    "idempotency",
    "library_jobs",
    "mail_jobs",
    "media_jobs",
    "movies_jobs",
    "playback_jobs",
    "queue",
    "registration_jobs",
    "run",
    "sessions_jobs",
    "transfer_jobs",
]

# One film's chunk fills a machine, and a job that kills its process must not take others along;
# mail and the like wait for others most of the time.
ROLES: dict[str, tuple[list[str], int]] = {
    "transcode": (["transcode"], 1),
    "default": (["default"], 10),
    "maintenance": (["maintenance"], 1),
    "all": (["transcode", "default", "maintenance"], 1),
}

ASK_AGAIN_SECONDS = 1.0

logger = logging.getLogger(__name__)


def run(role: str) -> None:
    """Work on the queues of a role until told to stop (SIGTERM or SIGINT)."""
    logs.set_up()
    check_process(ROLES[role][0])  # before it waits for a database
    asyncio.run(_work(role))


async def _work(role: str) -> None:
    queues, concurrency = ROLES[role]
    with startup_signals.cancel_on_signal():
        await asyncio.to_thread(sweep_scratch)
        limit_connections(concurrency)
        async with queue.open_async():
            await _wait_for_schema()
            async with claiming_storage():
                await queue.run_worker_async(
                    name=role, queues=queues, concurrency=concurrency, install_signal_handlers=True
                )


async def _wait_for_schema() -> None:
    """Wait until the database has the schema of this version, or a newer one."""
    expected, level = newest_revision(), logging.WARNING  # the first time
    while (found := await _revision()) < expected:
        if found:
            logger.log(level, "waiting for `videoflix migrate`: at %s, not %s", found, expected)
            level = logging.DEBUG
        await asyncio.sleep(ASK_AGAIN_SECONDS)


async def _revision() -> str:
    """The revision of the schema; empty when there is none, or no answer, which is logged."""
    manager = queue.job_manager
    assert isinstance(manager, ResilientJobManager)  # noqa: S101 - JobQueue made it
    try:
        rows = await manager.fetch_rows("select version_num from schema_version")
    except DatabaseUnavailable:
        return ""
    return str(rows[0]["version_num"]) if rows else ""
