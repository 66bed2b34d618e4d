"""The worker process: `videoflix worker --role all`.

`procrastinate --app=videoflix.worker.queue worker` is equivalent.
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
from videoflix.platform.storage.local_copies import sweeping_copies
from videoflix.playback import jobs as playback_jobs
from videoflix.registration import jobs as registration_jobs
from videoflix.sessions import jobs as sessions_jobs
from videoflix.uploads import jobs as uploads_jobs
from videoflix.webhooks import jobs as webhooks_jobs

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
    "uploads_jobs",
    "webhooks_jobs",
]

# Queues and concurrency by role. Encoding one chunk saturates a machine, and a job that crashes its
# process must not affect others; jobs such as mail mostly wait for I/O.
ROLES: dict[str, tuple[list[str], int]] = {
    "transcode": (["transcode"], 1),
    "default": (["default"], 10),
    "maintenance": (["maintenance"], 1),
    "all": (["transcode", "default", "maintenance"], 1),
}

POLL_SECONDS = 1.0

logger = logging.getLogger(__name__)


def run(role: str) -> None:
    """Run the jobs of a role's queues until SIGTERM or SIGINT."""
    logs.set_up()
    check_process(ROLES[role][0])  # before waiting for the database
    asyncio.run(_work(role))


async def _work(role: str) -> None:
    queues, concurrency = ROLES[role]
    with startup_signals.cancel_on_signal():
        await asyncio.to_thread(sweep_scratch)
        limit_connections(concurrency)
        async with queue.open_async():
            await _wait_for_schema()
            async with claiming_storage(), sweeping_copies():
                await queue.run_worker_async(
                    name=role, queues=queues, concurrency=concurrency, install_signal_handlers=True
                )


async def _wait_for_schema() -> None:
    """Wait until the database schema is at least that of this version."""
    expected, level = newest_revision(), logging.WARNING  # for the first failure
    while (found := await _revision()) < expected:
        if found:
            logger.log(level, "waiting for `videoflix migrate`: at %s, not %s", found, expected)
            level = logging.DEBUG
        await asyncio.sleep(POLL_SECONDS)


async def _revision() -> str:
    """Return the schema's revision; "" if there is none or the database is unavailable."""
    manager = queue.job_manager
    assert isinstance(manager, ResilientJobManager)  # noqa: S101 - JobQueue made it
    try:
        rows = await manager.fetch_rows("select version_num from schema_version")
    except DatabaseUnavailable:
        return ""
    return str(rows[0]["version_num"]) if rows else ""
