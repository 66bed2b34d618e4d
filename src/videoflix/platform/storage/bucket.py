"""Buckets: timeouts, batch deletion and multipart uploads."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

import obstore
from obstore.store import ObjectStore, from_url

from videoflix.platform.storage.errors import problem_of
from videoflix.settings import settings

# Buffer size, and maximum number of buffers of each upload in memory.
WRITE_BUFFER = 8 * 1024 * 1024
WRITES_AT_ONCE = 2
CONNECT_SECONDS = 5
# S3's limit on objects per DeleteObjects request.
DELETE_BATCH = 1000
# Total time of a request with its retries, as a multiple of the timeout.
RETRY_FACTOR = 2


def open_bucket(url: str) -> ObjectStore:
    """Open a store with request timeouts; credentials come from the environment."""
    limit = timedelta(seconds=settings.storage_timeout_seconds)
    return from_url(
        url,
        client_options={
            "timeout": limit,
            "connect_timeout": min(limit, timedelta(seconds=CONNECT_SECONDS)),
            # Options given here override those of the environment.
            "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"true", "1"},
        },
        retry_config={"max_retries": 5, "retry_timeout": limit},
    )


def deadline_seconds() -> float:
    """Return the timeout of a step in seconds, including retries."""
    return settings.storage_timeout_seconds * RETRY_FACTOR


async def read_ahead(
    read: Callable[[int, int], Coroutine[Any, Any, bytes]], start: int, end: int, size: int
) -> AsyncGenerator[bytes]:
    """Yield the bytes from `start` to before `end` in blocks of `size`, reading one ahead.

    `read` takes an offset and a length.
    """
    following: asyncio.Task[bytes] | None = None
    try:
        for offset in range(start, end, size):
            block = following or asyncio.create_task(read(offset, min(size, end - offset)))
            left = end - offset - size
            following = (
                asyncio.create_task(read(offset + size, min(size, left))) if left > 0 else None
            )
            yield await block
    finally:
        if following is not None:
            following.cancel()


async def delete_batch(keys: list[str], store: ObjectStore) -> None:
    """Delete up to DELETE_BATCH objects, ignoring missing ones."""
    try:
        await obstore.delete_async(store, keys)
    except FileNotFoundError as error:
        if problem_of(error):
            raise
        for key in keys:  # other stores than S3 fail on missing objects
            with suppress(FileNotFoundError):
                await obstore.delete_async(store, key)


class BucketWriter:
    """Write an object, as a multipart upload if it is larger than a buffer."""

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
        """Complete the upload and make the object visible."""
        self._writer = None  # from here on there is nothing to abort
        await self._block.__aexit__(None, None, None)

    async def abort(self) -> None:
        """Abort the upload and delete its parts."""
        if self._writer is not None:
            error = InterruptedError()
            await self._block.__aexit__(type(error), error, None)
            self._writer = None
