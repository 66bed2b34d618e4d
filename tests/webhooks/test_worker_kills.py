"""A worker is killed in the middle of a delivery."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from webhooks.receiver import Receiver
from webhooks.test_api import add_endpoint
from webhooks.test_delivering import end, start

SECONDS = 60


@contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "WORKER_STALL_SECONDS": "1.5",
    }
    command = [sys.executable, "-m", "videoflix.cli", "worker", "--role", "default"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    yield process
    process.kill()
    process.wait()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - the receiver is a thread
            await asyncio.sleep(0.05)


async def test_killed_delivery_is_repeated(manager: httpx.AsyncClient, receiver: Receiver) -> None:
    _, secret = await add_endpoint(manager, receiver.url)
    await start(1)
    await end(1)
    receiver.pause = 5.0
    with worker() as first:
        await until(lambda: len(receiver.requests) == 1)
        first.kill()
    receiver.pause = 0.0
    with worker():
        await until(lambda: len(receiver.requests) == 3)
    events = receiver.verified(secret)
    assert [event["type"] for event in events] == [
        "stream.started",
        "stream.started",
        "stream.ended",
    ]
    assert events[0]["id"] == events[1]["id"]
