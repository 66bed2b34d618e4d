"""Writing one object, wherever it is kept: what callers see of it, and whose errors are whose."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

from videoflix.platform.storage.errors import (
    StorageProblem,
    StorageUnavailable,
    translated_errors,
)

T = TypeVar("T")


class StoredObject(msgspec.Struct, frozen=True):
    """What an object holds: its size in bytes, and its SHA-256."""

    size: int
    sha256: str


class ObjectInfo(msgspec.Struct, frozen=True):
    """An object as a listing tells it; `modified` is by the storage's clock."""

    key: str
    size: int
    modified: datetime


class Writer(Protocol):
    """What a new object's bytes are handed to."""

    async def write(self, data: bytes, /) -> int: ...


class ObjectWriter(Protocol):
    """How a kind of storage writes an object; each step takes at most `deadline` seconds."""

    deadline: float | None

    async def open(self) -> None: ...

    async def write(self, data: bytes, /) -> int: ...

    async def finish(self) -> None: ...

    async def abort(self) -> None: ...


@asynccontextmanager
async def object_written_by(inner: ObjectWriter) -> AsyncGenerator[Writer]:
    """A new object that appears whole when the block ends, or not at all."""
    writer = _TranslatingWriter(inner)
    try:
        await writer.step(inner.open())
        yield writer
        await writer.step(inner.finish())
    except BaseException:
        with suppress(StorageProblem):  # logged; the first error says more
            await writer.step(inner.abort())
        raise


class _TranslatingWriter:
    """A writer whose errors are the storage's, and whose caller's errors are left alone."""

    def __init__(self, inner: ObjectWriter) -> None:
        self._inner = inner
        self._deadline = inner.deadline

    async def write(self, data: bytes, /) -> int:
        return await self.step(self._inner.write(data))

    async def step(self, action: Awaitable[T]) -> T:
        try:
            with translated_errors():
                async with asyncio.timeout(self._deadline):
                    return await action
        except FileNotFoundError as error:  # the folder was removed meanwhile
            raise StorageUnavailable from error
