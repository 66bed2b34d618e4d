"""Figures for Prometheus: what this process counted, and what the database knows."""

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

# Several scrapers, or an impatient one, cost no more than one.
KNOWN_SECONDS = 5.0
PATIENCE_SECONDS = 3.0
# Shown also while nothing waits in them, so that alerts find them.
USUAL_QUEUES = ("default", "maintenance", "transcode")

logger = logging.getLogger(__name__)


class Metrics:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.rows = LoadRepository(session)

    async def load(self) -> Load:
        """Queues, streams and workers now."""
        return Load(
            queues=await self.rows.queues(),
            live_streams=await Streams(self.session).live_count(),
            workers=await self.rows.workers(),
            stalled_files=await self.rows.stalled_files(),
            requeued_jobs=await self.rows.requeued_jobs(),
            transcode_speed=await self.rows.transcode_speed(),
        )


class DatabaseMetrics(Collector):
    """Figures of the whole installation: every replica shows the same ones."""

    def __init__(self) -> None:
        self.load: Load | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Prometheus's way of asking; only whether it answers, while the database does not."""
        yield gauge("database_up", "Whether the database answers.", float(self.load is not None))
        yield family("database_pool_connections", "Connections of this process.", pool_use())
        if self.load is None:
            return
        yield from of_queues(self.load.queues)
        yield gauge("live_streams", "Streams that are watched now.", self.load.live_streams)
        yield gauge("workers", "Workers heard of lately.", self.load.workers)
        words = "Uploaded files whose work waits for a machine."
        yield family("stalled_files", words, self.load.stalled_files, label="code")
        words = "Jobs of the last day that had to be queued again."
        yield gauge("requeued_jobs", words, self.load.requeued_jobs)
        if self.load.transcode_speed is not None:
            words = "Seconds of film encoded per second of a worker's time, lately."
            yield gauge("transcode_speed", words, self.load.transcode_speed)


class MetricsText:
    """All figures, as Prometheus reads them; the database's are some seconds old at most."""

    def __init__(self) -> None:
        self._asking = asyncio.Lock()
        self._fresh: TtlCache[str, None] = TtlCache("metrics", 1, KNOWN_SECONDS)
        self._database = DatabaseMetrics()
        self._registry = CollectorRegistry()
        self._registry.register(self._database)

    async def text(self) -> bytes:
        async with self._asking:
            if "load" not in self._fresh:
                self._database.load = await self._ask()
                self._fresh["load"] = None
        return generate_latest(registry) + generate_latest(self._registry)

    async def _ask(self) -> Load | None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), transaction() as session:
                return await Metrics(session).load()
        except (SQLAlchemyError, OSError) as error:  # a TimeoutError is an OSError
            logger.warning("no figures of the database: %s", str(error) or "it took too long")
            return None


def gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"videoflix_{name}", words, value=value)


def family(
    name: str, words: str, values: dict[str, int], label: str = "state"
) -> GaugeMetricFamily:
    """A gauge by a label, the state of what it counts."""
    found = GaugeMetricFamily(f"videoflix_{name}", words, labels=[label])
    for state, value in values.items():
        found.add_metric([state], value)
    return found


def of_queues(loads: list[QueueLoad]) -> list[GaugeMetricFamily]:
    jobs = GaugeMetricFamily(
        "videoflix_queue_jobs", "Jobs by queue and state.", labels=["queue", "state"]
    )
    oldest = GaugeMetricFamily(
        "videoflix_queue_oldest_seconds",
        "How long the first job that could run has waited.",
        labels=["queue"],
    )
    idle = {name: QueueLoad(name, 0, 0, 0, 0, 0, 0.0) for name in USUAL_QUEUES}
    for load in (idle | {load.queue: load for load in loads}).values():
        jobs.add_metric([load.queue, "todo"], load.todo + load.scheduled)
        jobs.add_metric([load.queue, "doing"], load.doing + load.stalled)
        oldest.add_metric([load.queue], load.oldest_seconds)
    return [jobs, oldest]


metrics_text = MetricsText()
