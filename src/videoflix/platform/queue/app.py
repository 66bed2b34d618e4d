"""The queue: procrastinate's App on our database, with our worker and our job manager."""

from typing import Any

from procrastinate import App, PsycopgConnector

from videoflix.platform.queue.manager import PatientJobManager, connection_pool
from videoflix.platform.queue.worker import Worker
from videoflix.settings import settings

POLL_SECONDS = 1.0


class JobQueue(App):
    """procrastinate's App whose workers are ours, also under `procrastinate worker`."""

    def __init__(self, connector: PsycopgConnector, **options: Any) -> None:
        super().__init__(connector=connector, **options)
        self.job_manager = PatientJobManager(connector)

    def _worker(self, **options: Any) -> Worker:
        return Worker(app=self, **{**self.worker_defaults, **options})


# Only workers open this pool; the API enqueues in its own transactions (enqueue.py).
queue = JobQueue(
    PsycopgConnector(
        pool_factory=connection_pool,
        conninfo=settings.database_dsn,
        min_size=1,
        max_size=4,
        timeout=5.0,
        reconnect_timeout=4.0,  # then the next statement tries anew: no growing pauses
        kwargs={
            "application_name": "videoflix-worker",
            "connect_timeout": 5,
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "options": "-c statement_timeout=30s -c lock_timeout=5s",
        },
    ),
    worker_defaults={
        "fetch_job_polling_interval": POLL_SECONDS,
        "update_heartbeat_interval": settings.worker_stall_seconds / 6,
        "shutdown_graceful_timeout": settings.worker_grace_seconds,
    },
)
