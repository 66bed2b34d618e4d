"""Interfaces and error handling of object writers, independent of the kind of storage."""

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
    """Size in bytes and SHA-256 of an object."""

    size: int
    sha256: str


class ObjectInfo(msgspec.Struct, frozen=True):
    """An object in a listing; `modified` is on the storage's clock."""

    key: str
    size: int
    modified: datetime


class Writer(Protocol):
    """Interface for writing the bytes of a new object."""

    async def write(self, data: bytes, /) -> int: ...


class ObjectWriter(Protocol):
    """Storage-specific writer; each step has a timeout of `deadline` seconds."""

    deadline: float | None

    async def open(self) -> None: ...

    async def write(self, data: bytes, /) -> int: ...

    async def finish(self) -> None: ...

    async def abort(self) -> None: ...


@asynccontextmanager
async def object_written_by(inner: ObjectWriter) -> AsyncGenerator[Writer]:
    """Write a new object, which becomes visible atomically when the block ends."""
    writer = _TranslatingWriter(inner)
    try:
        await writer.step(inner.open())
        yield writer
        await writer.step(inner.finish())
    except BaseException:
        with suppress(StorageProblem):  # already logged; the first error is raised
            await writer.step(inner.abort())
        raise


class _TranslatingWriter:
    """Translate the errors of a writer, without touching those of its caller."""

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
