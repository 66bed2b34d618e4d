"""`videoflix webhooks listen` prints and forwards what happens."""

import asyncio
import json
import signal
import sys
from contextlib import suppress

import pytest

from queue_helpers import execute, rows
from webhooks.receiver import Receiver
from webhooks.test_delivering import end, start

LISTEN = [sys.executable, "-m", "videoflix.cli", "webhooks", "listen"]


async def listening(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *LISTEN, *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


@pytest.mark.usefixtures("committed")
async def test_events_are_printed_and_forwarded(receiver: Receiver) -> None:
    process = await listening("--forward-to", receiver.url, "--event", "stream.ended")
    assert process.stdout
    assert process.stderr
    try:
        async with asyncio.timeout(60):
            secret = (await process.stderr.readline()).decode().split()[-1]
            await start(1)
            await end(1)
            event = json.loads(await process.stdout.readline())
            forwarded = (await process.stderr.readline()).decode()
            assert (event["type"], event["data"]["stream_id"]) == ("stream.ended", 1)
            assert forwarded.strip() == f"{receiver.url}: 204"
            assert receiver.verified(secret) == [event]
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
    assert await rows("select id from webhook_endpoint") == []
    assert await rows("select id from webhook_delivery") == []


@pytest.mark.usefixtures("committed")
async def test_listener_of_a_killed_process_expires() -> None:
    await execute(
        "insert into webhook_endpoint (description, events, is_enabled, secret, listens_until,"
        " created_at, updated_at) values ('', '{}', true, '', now() - interval '1 s', now(), now())"
    )
    await start(1)
    assert await rows("select id from webhook_event") == []
