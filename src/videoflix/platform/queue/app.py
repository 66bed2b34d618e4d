"""Configure procrastinate's App with our connector, worker and job manager."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from procrastinate import App, PsycopgConnector

from videoflix.platform.postgres.connect import QueueConnection
from videoflix.platform.postgres.session import limit_pool
from videoflix.platform.queue.manager import ResilientJobManager
from videoflix.platform.queue.outage import ResilientConnector
from videoflix.platform.queue.worker import Worker
from videoflix.settings import settings

POLL_SECONDS = 1.0
# Excluding the LISTEN connection of each worker.
MAX_CONNECTIONS = 4
MAX_IDLE_SECONDS = 10.0


class JobQueue(App):
    """procrastinate's App, starting our Worker also under `procrastinate worker`."""

    def __init__(self, connector: PsycopgConnector, **options: Any) -> None:
        super().__init__(connector=connector, **options)
        self.job_manager = ResilientJobManager(connector)

    def _worker(self, **options: Any) -> Worker:
        return Worker(app=self, **{**self.worker_defaults, **options})


def limit_connections(concurrency: int) -> None:
    """Size this process's connection pools for `concurrency` jobs; call before connecting.

    A job needs one connection for transactions and one for progress updates; the cron
    scheduler shares them.
    """
    connector = queue.connector
    assert isinstance(connector, ResilientConnector)  # noqa: S101 - made below
    connector.limit_connections(1 if concurrency == 1 else MAX_CONNECTIONS)
    limit_pool(concurrency + 1)


class QueueConnector(ResilientConnector):
    """procrastinate's connector; its LISTEN connection bypasses the pooler."""

    @asynccontextmanager
    async def _get_standalone_connection(self) -> AsyncGenerator[QueueConnection]:
        async with await QueueConnection.listen("videoflix-worker") as connection:
            yield connection


# Only workers open this pool; the API enqueues in its own transactions (enqueue.py).
queue = JobQueue(
    QueueConnector(
        connection_class=QueueConnection,
        min_size=1,
        max_size=MAX_CONNECTIONS,
        max_idle=MAX_IDLE_SECONDS,
        timeout=5.0,
        reconnect_timeout=4.0,  # then the next statement tries again: no growing pauses
        kwargs={
            "application": "videoflix-worker",
            "session": {"statement_timeout": "30s", "lock_timeout": "5s"},
        },
    ),
    worker_defaults={
        "fetch_job_polling_interval": POLL_SECONDS,
        "update_heartbeat_interval": settings.worker_stall_seconds / 6,
        "shutdown_graceful_timeout": settings.worker_grace_seconds,
    },
)
