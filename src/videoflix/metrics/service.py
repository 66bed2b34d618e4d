"""Prometheus metrics of this process and of the whole installation."""

import asyncio
import logging
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.metrics.repository import LoadRepository
from videoflix.metrics.schemas import Load
from videoflix.platform.cache.ttl import TtlCache
from videoflix.platform.observability.metrics import registry
from videoflix.platform.postgres.session import pool_use, transaction
from videoflix.platform.queue.load import QueueLoad
from videoflix.playback.service.streams import Streams

# TTL of the database's metrics, shared by all scrapers.
TTL_SECONDS = 5.0
TIMEOUT_SECONDS = 3.0
# Exported also while empty, so that alerts have a time series.
USUAL_QUEUES = ("default", "maintenance", "transcode")

logger = logging.getLogger(__name__)


class Metrics:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.rows = LoadRepository(session)

    async def load(self) -> Load:
        """Query the current load."""
        return Load(
            queues=await self.rows.queues(),
            live_streams=await Streams(self.session).live_count(),
            workers=await self.rows.workers(),
            stalled_files=await self.rows.stalled_files(),
            requeued_jobs=await self.rows.requeued_jobs(),
            transcode_speed=await self.rows.transcode_speed(),
        )


class DatabaseMetrics(Collector):
    """Metrics of the whole installation, equal on every replica."""

    def __init__(self) -> None:
        self.load: Load | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Prometheus collector hook; only `database_up` while the database is unavailable."""
        yield gauge(
            "database_up", "Whether the database is available.", float(self.load is not None)
        )
        yield family("database_pool_connections", "Connections in this process's pool.", pool_use())
        if self.load is None:
            return
        yield from of_queues(self.load.queues)
        yield gauge("live_streams", "Active streams.", self.load.live_streams)
        yield gauge("workers", "Workers with a recent heartbeat.", self.load.workers)
        description = "Uploaded files whose processing is stalled by a machine fault."
        yield family("stalled_files", description, self.load.stalled_files, label="code")
        description = "Jobs requeued by the reconciler within the last day."
        yield gauge("requeued_jobs", description, self.load.requeued_jobs)
        if self.load.transcode_speed is not None:
            description = (
                "Seconds of video encoded per second of a worker's time in the last 15 minutes."
            )
            yield gauge("transcode_speed", description, self.load.transcode_speed)


class MetricsText:
    """All metrics in the Prometheus text format; the database's are at most TTL_SECONDS old."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._fresh: TtlCache[str, None] = TtlCache("metrics", 1, TTL_SECONDS)
        self._database = DatabaseMetrics()
        self._registry = CollectorRegistry()
        self._registry.register(self._database)

    async def text(self) -> bytes:
        async with self._lock:
            if "load" not in self._fresh:
                self._database.load = await self._query()
                self._fresh["load"] = None
        return generate_latest(registry) + generate_latest(self._registry)

    async def _query(self) -> Load | None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), transaction() as session:
                return await Metrics(session).load()
        except (SQLAlchemyError, OSError) as error:  # a TimeoutError is an OSError
            logger.warning("no metrics of the database: %s", str(error) or "timed out")
            return None


def gauge(name: str, description: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"videoflix_{name}", description, value=value)


def family(
    name: str, description: str, values: dict[str, int], label: str = "state"
) -> GaugeMetricFamily:
    """Build a gauge with one label."""
    found = GaugeMetricFamily(f"videoflix_{name}", description, labels=[label])
    for state, value in values.items():
        found.add_metric([state], value)
    return found


def of_queues(loads: list[QueueLoad]) -> list[GaugeMetricFamily]:
    jobs = GaugeMetricFamily(
        "videoflix_queue_jobs", "Jobs by queue and state.", labels=["queue", "state"]
    )
    oldest = GaugeMetricFamily(
        "videoflix_queue_oldest_seconds",
        "Waiting time of the oldest runnable job.",
        labels=["queue"],
    )
    idle = {name: QueueLoad(name, 0, 0, 0, 0, 0, 0.0) for name in USUAL_QUEUES}
    for load in (idle | {load.queue: load for load in loads}).values():
        jobs.add_metric([load.queue, "todo"], load.todo + load.scheduled)
        jobs.add_metric([load.queue, "doing"], load.doing + load.stalled)
        oldest.add_metric([load.queue], load.oldest_seconds)
    return [jobs, oldest]


metrics_text = MetricsText()
