"""Buckets: how long each request may take, and writing an object in parts."""

import os
from contextlib import suppress
from datetime import timedelta
from typing import Any

import obstore
from obstore.store import ObjectStore, from_url

from videoflix.platform.storage.errors import problem_of
from videoflix.settings import settings

# A slow bucket may hold up this many buffers of every upload in memory.
WRITE_BUFFER = 8 * 1024 * 1024
WRITES_AT_ONCE = 2
CONNECT_SECONDS = 5
# The most objects that S3 deletes with one request.
DELETED_AT_ONCE = 1000
# Requests are tried again within this multiple of their own limit, then they have failed.
PATIENCE = 2


def open_bucket(url: str) -> ObjectStore:
    """A store whose every request ends in time; credentials come from the environment."""
    limit = timedelta(seconds=settings.storage_timeout_seconds)
    return from_url(
        url,
        client_options={
            "timeout": limit,
            "connect_timeout": min(limit, timedelta(seconds=CONNECT_SECONDS)),
            # Options given here replace those of the environment.
            "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"true", "1"},
        },
        retry_config={"max_retries": 5, "retry_timeout": limit},
    )


def deadline_seconds() -> float:
    """After which a step of an operation counts as failed, its retries included."""
    return settings.storage_timeout_seconds * PATIENCE


async def delete_batch(keys: list[str], store: ObjectStore) -> None:
    """Remove at most DELETED_AT_ONCE objects; those already gone are passed over."""
    try:
        await obstore.delete_async(store, keys)
    except FileNotFoundError as error:
        if problem_of(error):
            raise
        for key in keys:  # not S3's way, but others'
            with suppress(FileNotFoundError):
                await obstore.delete_async(store, key)


class BucketWriter:
    """Writes one object: in one request, or in parts once it is larger than a buffer."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._block: Any = obstore.open_writer_async(
            store, key, buffer_size=WRITE_BUFFER, max_concurrency=WRITES_AT_ONCE
        )
        self._writer: Any = None
        self.deadline: float | None = deadline_seconds()

    async def open(self) -> None:
        self._writer = await self._block.__aenter__()

    async def write(self, data: bytes, /) -> int:
        return int(await self._writer.write(data))

    async def finish(self) -> None:
        """Show the object."""
        self._writer = None  # there is nothing to abort, whatever comes of it
        await self._block.__aexit__(None, None, None)

    async def abort(self) -> None:
        """Take the parts back."""
        if self._writer is not None:
            error = InterruptedError()
            await self._block.__aexit__(type(error), error, None)
            self._writer = None
