"""A worker without a usable database waits for it, and says once what is wrong."""

import asyncio
import logging
from typing import Any

import pytest

from videoflix.platform.queue.app import JobQueue
from videoflix.platform.queue.outage import ResilientConnector
from videoflix.settings import settings

USABLE = settings.database_dsn
UNUSABLE = {
    "nobody listens": ("postgresql://x:y@127.0.0.1:1/x", "Connection refused"),
    "an unknown host": ("postgresql://x:y@no-such-host.invalid/x", "resolve"),
    "a wrong password": (USABLE.replace("videoflix@", "nobody:wrong@", 1), "nobody"),
    "an unknown database": (USABLE.replace("/videoflix?", "/nothing?"), "does not exist"),
    "no schema": (USABLE.replace("/videoflix?", "/template1?"), "videoflix migrate"),
}


@pytest.mark.parametrize(("dsn", "reason"), UNUSABLE.values(), ids=list(UNUSABLE))
async def test_a_worker_waits_for_its_database(
    database: None, dsn: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    app = JobQueue(
        ResilientConnector(conninfo=dsn, min_size=1, max_size=1, timeout=1.0, kwargs={}),
        worker_defaults={},
    )
    async with app.open_async():  # as the command line of procrastinate does
        worker: Any = app._worker(queues=["any"], install_signal_handlers=False)
        working = asyncio.create_task(worker.run())
        await asyncio.sleep(2.5)
        assert not working.done()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    said = [record.message for record in caplog.records if "database" in record.message]
    assert len(said) == 1, said
    assert said[0].startswith("waiting for the database: ")
    assert reason in said[0]
