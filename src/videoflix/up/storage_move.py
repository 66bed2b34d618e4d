"""`videoflix storage move`: copy the media of a running site to another storage."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from videoflix.platform.storage.media_storage import ObjectInfo, Storage
from videoflix.setting_types import StorageUrl
from videoflix.up.admin import errors_as_sentences

# Prefixes of objects that belong to the storage they are in: probes, and unfinished uploads.
NOT_MOVED = ("health/", "uploads/")
# Passes without an end would mean that uploads arrive faster than they are copied.
PASSES_MAX = 20

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


class Tally(msgspec.Struct):
    """What a run of the command has done."""

    copied: int = 0
    bytes: int = 0
    failed: int = 0


class CopyDiffers(Exception):
    """A copy does not have the size or SHA-256 of its original."""


async def move(source: str, target: str, *, verify: bool, parallel: int) -> int:
    """Copy until a pass finds nothing new; return the exit status. Raises ClickException."""
    with errors_as_sentences():
        mover = Mover(_opened(source), _opened(target), verify=verify, parallel=parallel)
        await mover.prepare()
        for number in range(1, PASSES_MAX + 1):
            found = await mover.run_pass(number)
            if found.failed:
                errors.print(f"{found.failed} objects could not be copied: run the command again.")
                return 1
            if not found.copied:
                break
    console.print(
        f"Everything is in {target}. Stop all processes, run this command once more for what"
        f" has changed since, then start them with STORAGE_URL={target}. Nothing was deleted from"
        f" {source}.",
        markup=False,
    )
    return 0


def _opened(url: str) -> Storage:
    try:
        if not url:
            raise ValueError("expected a URL like file:///srv/media or s3://bucket/prefix")
        return Storage(StorageUrl(url))
    except ValueError as error:
        raise click.ClickException(f"“{url}” is wrong: {error}.") from error


class Mover:
    """Copies from one storage to another."""

    def __init__(self, source: Storage, target: Storage, *, verify: bool, parallel: int) -> None:
        self._source = source
        self._target = target
        self._verify = verify
        self._parallel = parallel

    async def prepare(self) -> None:
        """Give the target the source's installation ID. Raises ClickException."""
        if self._source.url == self._target.url:
            raise click.ClickException("FROM and TO are the same storage.")
        await self._source.check_present()
        ours = await self._source.marker()
        if ours is None:
            raise click.ClickException(f"{self._source.url} is no storage of Videoflix.")
        theirs = await self._target.marker() if await _exists(self._target) else None
        if theirs is None:
            await self._target.mark(ours)
        elif theirs != ours:
            raise click.ClickException(f"{self._target.url} belongs to another installation.")
        self._target.expect(ours)

    async def run_pass(self, number: int) -> Tally:
        """Copy what the target lacks, `parallel` objects at a time."""
        tally = Tally()
        with _progress() as bar:
            task = bar.add_task(f"Pass {number}", total=None)
            total = 0
            async for batch in self._missing():
                total += sum(found.size for found in batch)
                bar.update(task, total=total)
                for start in range(0, len(batch), self._parallel):
                    some = batch[start : start + self._parallel]
                    await asyncio.gather(*(self._copy(found, tally) for found in some))
                    bar.update(task, completed=tally.bytes)
        console.print(f"Pass {number}: {tally.copied} objects, {tally.bytes} bytes copied.")
        return tally

    async def _missing(self) -> AsyncIterator[list[ObjectInfo]]:
        """List the source's objects that the target lacks, or has in another size."""
        async for batch in self._source.objects():
            wanted = [found for found in batch if not found.key.startswith(NOT_MOVED)]
            sizes = await asyncio.gather(*(self._target.size(found.key) for found in wanted))
            missing = [
                found for found, size in zip(wanted, sizes, strict=True) if size != found.size
            ]
            if missing:
                yield missing

    async def _copy(self, found: ObjectInfo, tally: Tally) -> None:
        digest, size = hashlib.sha256(), 0
        try:
            async with self._target.writing(found.key) as writer:
                async for block in self._source.stream(found.key):
                    await asyncio.to_thread(digest.update, block)
                    size += len(block)
                    await writer.write(block)
            await self._check(found.key, size, digest.hexdigest())
        except FileNotFoundError:  # deleted meanwhile, with its video
            return
        except CopyDiffers as error:
            await self._target.delete([found.key])
            errors.print(str(error), markup=False)
            tally.failed += 1
            return
        tally.copied += 1
        tally.bytes += size

    async def _check(self, key: str, size: int, sha256: str) -> None:
        if await self._target.size(key) != size:
            raise CopyDiffers(f"{key}: the copy has another size; it was deleted.")
        if not self._verify:
            return
        digest = hashlib.sha256()
        async for block in self._target.stream(key):
            await asyncio.to_thread(digest.update, block)
        if digest.hexdigest() != sha256:
            raise CopyDiffers(f"{key}: the copy has another SHA-256; it was deleted.")


async def _exists(storage: Storage) -> bool:
    """Whether a storage is there; the folder of a new one is created by its marker."""
    return storage.folder is None or await asyncio.to_thread(storage.folder.is_dir)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=errors,
        disable=not errors.is_terminal,
    )
