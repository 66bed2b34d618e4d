"""What happens to an upload later: inspect, encode, illustrate, clean up.

Each handler reads in a short transaction, works for minutes with none open, and shows its
result in another, which also ends the job. It may run twice: the files of an attempt lie in a
folder of its own, and the transaction that shows them lets only one attempt win.
"""

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from videoflix.catalog.schemas import PurgeDeleted
from videoflix.catalog.service import VideoNotFound
from videoflix.catalog.service.desk import Desk
from videoflix.media.encode import encode_audio, encode_chunk
from videoflix.media.fmp4 import Index
from videoflix.media.plan import Plan, make_plan
from videoflix.media.poster import make_poster
from videoflix.media.probe import probe
from videoflix.media.rejection import Rejected
from videoflix.media.schemas import (
    DeleteFolder,
    EncodeAudio,
    EncodeChunk,
    Inspect,
    MakePoster,
    Piece,
    SweepAttempts,
    SweepOrphans,
)
from videoflix.media.service import AUDIO, Media
from videoflix.platform.db import transaction
from videoflix.platform.queue import AttemptLost, JobCancelled, completing, every, handles
from videoflix.platform.scratch import scratch_folder
from videoflix.platform.storage import StorageFull, media_storage

REPORT_SECONDS = 1.0
PURGED_AT_ONCE = 1_000
SWEPT_AT_ONCE = 200
ORPHANED_AFTER = timedelta(days=1)
LATELY = timedelta(days=7)
# Younger files may belong to an attempt that is about to show them.
LEFT_ALONE = timedelta(hours=1)

logger = logging.getLogger(__name__)


class Work(msgspec.Struct, frozen=True):
    """What an attempt needs to know: the source, and a folder nobody else writes to."""

    source_key: str
    attempt: str
    plan: Plan | None


async def work_for(asset_id: int) -> Work | None:
    """The work on an asset, or None when there is none left."""
    async with transaction() as session:
        asset = await Media(session).asset(asset_id)
        if asset is None:
            return None
        plan = msgspec.convert(asset.plan, Plan) if asset.plan else None
        return Work(asset.source_key, f"{asset.folder}/{uuid.uuid4().hex}", plan)


async def refuse(asset_id: int, code: str, reason: str) -> None:
    async with transaction() as session:
        await Media(session).refuse(asset_id, code, reason)


async def give_up(job: Inspect | EncodeChunk | EncodeAudio, error: Exception) -> None:
    """It will not be done: tell the uploader."""
    if isinstance(error, StorageFull):
        await refuse(
            job.asset_id,
            "storage-full",
            "The server ran out of space; upload the film again later.",
        )
    elif isinstance(error, JobCancelled):
        await refuse(
            job.asset_id, "encoding-cancelled", "An administrator stopped the work on this film."
        )
    else:
        await refuse(
            job.asset_id,
            "encoding-failed",
            "The film could not be encoded; the server's log says why.",
        )


@handles(Inspect, otherwise=give_up)
async def inspect(job: Inspect) -> None:
    work = await work_for(job.asset_id)
    if work is None:
        return
    try:
        async with desk(work) as (source, _):
            plan = make_plan(await probe(source))
    except Rejected as refusal:  # no retry: the file will not get better
        await refuse(job.asset_id, refusal.code, refusal.reason)
        return
    async with completing() as session:
        await Media(session).adopt_plan(job.asset_id, plan)


@handles(EncodeChunk, otherwise=give_up)
async def encode_a_chunk(job: EncodeChunk) -> None:
    async with transaction() as session:
        if await Media(session).chunks.is_done(job.asset_id, job.index):
            return
    work = await work_for(job.asset_id)
    if work is None or work.plan is None:
        return
    report = ProgressReport(job)
    async with desk(work) as (source, folder):
        span = work.plan.spans[job.index]
        indexes = await encode_chunk(source, work.plan, span, folder, report.frames)
        await show(job.asset_id, job.index, work, folder, indexes)


@handles(EncodeAudio, otherwise=give_up)
async def encode_the_audio(job: EncodeAudio) -> None:
    work = await work_for(job.asset_id)
    if work is None or work.plan is None:
        return
    async with desk(work) as (source, folder):
        index = await encode_audio(source, work.plan, folder)
        await show(job.asset_id, None, work, folder, {AUDIO: index})


@handles(MakePoster)
async def make_a_poster(job: MakePoster) -> None:
    async with transaction() as session:
        asset = await Media(session).asset_to_illustrate(job.asset_id)
        if asset is None:
            return
        work = Work(
            asset.source_key,
            f"{asset.folder}/{uuid.uuid4().hex}",
            msgspec.convert(asset.plan, Plan),
        )
    if work.plan is None:
        return
    async with desk(work) as (source, folder), files_of(work):
        picture = await make_poster(source, work.plan, folder)
        key = f"{work.attempt}/{picture.name}"
        await media_storage().put(key, picture)
        async with completing() as session:
            if not await Media(session).poster_made(job.asset_id, key):
                raise NotShown


@handles(DeleteFolder)
async def delete_folder(job: DeleteFolder) -> None:
    await media_storage().delete_below(job.folder)


@handles(SweepAttempts)
async def sweep_attempts(job: SweepAttempts) -> None:
    async with transaction() as session:
        keys = await Media(session).keys_in_use(job.asset_id)
    if keys is not None:
        removed = await media_storage().delete_others(keys.folder, keys.used, LEFT_ALONE)
        logger.info("removed %d files that killed attempts had left", removed)


every("45 4 * * *", SweepOrphans())


@handles(SweepOrphans)
async def sweep_orphans(job: SweepOrphans) -> None:
    """Whatever is younger than a day may still be on its way into a row."""
    storage, removed = media_storage(), 0
    unfinished = await storage.drop_unfinished(ORPHANED_AFTER)
    for folders in batched(await storage.folders("assets"), SWEPT_AT_ONCE):
        async with transaction() as session:
            known = await Media(session).assets.known_folders(folders)
        for folder in set(folders) - known:
            removed += await storage.delete_others(folder, frozenset(), ORPHANED_AFTER)
    removed += await _sweep_lately_changed()
    logger.info("removed %d orphaned files and %d unfinished ones", removed, unfinished)


async def _sweep_lately_changed() -> int:
    """In folders of films: what attempts left that were killed between storing and showing."""
    removed, last = 0, 0
    while True:
        async with transaction() as session:
            found = await Media(session).assets.lately_changed(last, LATELY, SWEPT_AT_ONCE)
        if not found:
            return removed
        for last in found:
            async with transaction() as session:
                keys = await Media(session).keys_in_use(last)
            if keys is not None:
                removed += await media_storage().delete_others(
                    keys.folder, keys.used, ORPHANED_AFTER
                )


every("35 3 * * *", PurgeDeleted())


@handles(PurgeDeleted)
async def purge_deleted(job: PurgeDeleted) -> None:
    """Each film in a transaction of its own: whatever happens, nothing is left half done."""
    async with transaction() as session:
        due = await Desk(session).due_for_purge(PURGED_AT_ONCE)
    for video_id in due:
        async with transaction() as session:
            with suppress(VideoNotFound):
                await Media(session).remove(video_id)
    logger.info("removed %d films that were deleted a month ago", len(due))


def batched(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The items in runs of at most this size."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


class NotShown(Exception):
    """Nobody will ever read these files: another attempt was faster, or the film is gone."""


@asynccontextmanager
async def files_of(work: Work) -> AsyncGenerator[None]:
    """What the block stores below the attempt's folder goes away unless it was shown.

    Raises AttemptLost. After any other error it is unknown whether the files were shown (the
    answer to a commit can be lost), so they stay for the sweep.
    """
    try:
        yield
    except (AttemptLost, NotShown) as verdict:
        await media_storage().delete_below(work.attempt)
        if isinstance(verdict, AttemptLost):
            raise
        logger.info("the files in %s are not needed", work.attempt)


@asynccontextmanager
async def desk(work: Work) -> AsyncGenerator[tuple[Path, Path]]:
    """The source as a local file, and an empty folder for results; both go with the block."""
    async with (
        desk_of() as folder,
        media_storage().local_copy(work.source_key, folder.parent) as source,
    ):
        yield source, folder


@asynccontextmanager
async def desk_of() -> AsyncGenerator[Path]:
    """An empty folder, which goes with the block."""
    scratch = await asyncio.to_thread(scratch_folder)
    with TemporaryDirectory(dir=scratch) as name:
        yield Path(name)


async def show(
    asset_id: int, index: int | None, work: Work, folder: Path, indexes: dict[str, Index]
) -> None:
    """Store an attempt's verified files, then let one transaction decide whether they count."""
    async with files_of(work):
        pieces = {
            name: await _stored(work, index or 0, folder / f"{name}.mp4", found)
            for name, found in indexes.items()
        }
        async with completing() as session:
            if not await Media(session).encoded(asset_id, index, pieces):
                raise NotShown


async def _stored(work: Work, chunk_index: int, file: Path, index: Index) -> Piece:
    key = f"{work.attempt}/{file.name}"
    await media_storage().put(key, file)
    return Piece(
        chunk_index=chunk_index,
        key=key,
        codec=index.codec,
        timescale=index.timescale,
        init_length=index.init_length,
        init_sha256=await asyncio.to_thread(_sha256_of_start, file, index.init_length),
        segments=tuple((s.duration, s.offset, s.length) for s in index.segments),
    )


def _sha256_of_start(file: Path, length: int) -> str:
    with file.open("rb") as opened:
        return hashlib.sha256(opened.read(length)).hexdigest()


class ProgressReport:
    """Tells the database how far a chunk is, at most once a second."""

    def __init__(self, job: EncodeChunk) -> None:
        self._job = job
        self._last = time.monotonic()

    async def frames(self, count: int) -> None:
        """So many frames of the chunk are encoded."""
        if time.monotonic() - self._last < REPORT_SECONDS:
            return
        self._last = time.monotonic()
        try:
            async with transaction() as session:
                await Media(session).report(self._job.asset_id, self._job.index, count)
        except (SQLAlchemyError, OSError) as error:  # the work itself goes on
            logger.debug("progress of asset %s not told: %s", self._job.asset_id, error)
