"""What happens to an upload later: inspect, encode, illustrate.

Each handler reads in a short transaction, works for minutes with none open, and shows its
result in another, which also ends the job. It may run twice: the files of an attempt lie in a
folder of its own, and the transaction that shows them lets only one attempt win.
"""

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.media.encode import encode_audio, encode_chunk
from videoflix.media.fmp4 import BrokenOutput, Index
from videoflix.media.jobs.faults import (
    SourceUnavailable,
    blaming,
    careful,
    check_content,
    check_size,
    wait_bounded,
)
from videoflix.media.models import Asset
from videoflix.media.payloads import EncodeAudio, EncodeChunk, Inspect, MakePoster
from videoflix.media.plan import Plan, make_plan
from videoflix.media.poster import make_poster
from videoflix.media.probe.rejection import Rejected
from videoflix.media.probe.source import probe
from videoflix.media.schemas import StoredPiece
from videoflix.media.service import AUDIO, Failures, Media
from videoflix.platform.postgres.session import transaction
from videoflix.platform.process.run import ProcessFailed
from videoflix.platform.process.scratch import scratch_folder
from videoflix.platform.queue import (
    AttemptLost,
    Job,
    JobCancelled,
    TransientError,
    completing,
    handles,
)
from videoflix.platform.queue.retry import GivenUp
from videoflix.platform.storage.media_storage import media_storage

REPORT_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Work(msgspec.Struct, frozen=True):
    """What an attempt needs to know: the source, and a folder nobody else writes to."""

    source_key: str
    source_bytes: int
    source_sha256: str
    attempt: str
    plan: Plan | None

    @classmethod
    def on(cls, asset: Asset) -> Self:
        """A new attempt on an asset."""
        return cls(
            source_key=asset.source_key,
            source_bytes=asset.source_bytes,
            source_sha256=asset.source_sha256,
            attempt=f"{asset.folder}/{uuid.uuid4().hex}",
            plan=msgspec.convert(asset.plan, Plan) if asset.plan else None,
        )


async def work_for(asset_id: int) -> Work | None:
    """The work on an asset, or None when there is none left."""
    async with transaction() as session:
        asset = await Media(session).asset(asset_id)
        return None if asset is None else Work.on(asset)


async def give_up(job: Inspect | EncodeChunk | EncodeAudio, error: Exception) -> None:
    """It will not be done for now: tell the uploader. Everything is kept for a retry."""
    code, reason = verdict(error)
    async with transaction() as session:
        await Failures(session).fail(job.asset_id, code, reason)


def verdict(error: Exception) -> tuple[str, str]:
    """A code, and a sentence for the film's editor."""
    if isinstance(error, GivenUp):
        return error.code, f"{error.reason} The file is kept: retry when the cause is gone."
    if isinstance(error, JobCancelled):
        return (
            "encoding-cancelled",
            "An administrator stopped the work on this film; the file is kept and can be retried.",
        )
    return (
        "encoding-failed",
        "The film could not be encoded, and the server's log says why; the file is kept and can"
        " be retried.",
    )


async def stall(job: Inspect | EncodeChunk | EncodeAudio, fault: TransientError) -> None:
    """It waits for the machine: tell the uploader."""
    async with transaction() as session:
        await Failures(session).stall(job.asset_id, fault)


async def resume(session: AsyncSession, job: Inspect | EncodeChunk | EncodeAudio) -> Sequence[Job]:
    """An operator retries it: so does the film, with all the work that is left."""
    return await Failures(session).retry_job_of(job.asset_id)


@handles(Inspect, otherwise=give_up, on_stall=stall, on_retry=resume)
@careful
async def inspect(job: Inspect) -> None:
    work = await work_for(job.asset_id)
    if work is None or work.plan is not None:
        return
    try:
        async with desk(work) as (source, _):
            plan = make_plan(await probe(source))
    except Rejected as refusal:  # no retry: the file will not get better
        async with completing() as session:
            await Failures(session).reject(job.asset_id, refusal.code, refusal.reason)
        return
    async with completing() as session:
        await Media(session).adopt_plan(job.asset_id, plan)


@handles(EncodeChunk, otherwise=give_up, on_stall=stall, on_retry=resume)
@careful
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


@handles(EncodeAudio, otherwise=give_up, on_stall=stall, on_retry=resume)
@careful
async def encode_the_audio(job: EncodeAudio) -> None:
    work = await work_for(job.asset_id)
    if work is None or work.plan is None:
        return
    async with desk(work) as (source, folder):
        index = await encode_audio(source, work.plan, folder)
        await show(job.asset_id, None, work, folder, {AUDIO: index})


@handles(MakePoster, on_stall=wait_bounded)
@careful
async def make_a_poster(job: MakePoster) -> None:
    async with transaction() as session:
        asset = await Media(session).asset_to_illustrate(job.asset_id)
        if asset is None:
            return
        work = Work.on(asset)
    if work.plan is None:
        return
    async with desk(work) as (source, folder), files_of(work):
        picture = await make_poster(source, work.plan, folder)
        key = f"{work.attempt}/{picture.name}"
        await media_storage().put(key, picture)
        async with completing() as session:
            if not await Media(session).poster_made(job.asset_id, key):
                raise NotShown


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
    """The source as a local file, and an empty folder for results; both go with the block.

    Raises TransientError for all that this machine or the storage is at fault for.
    """
    async with blaming(), desk_of() as folder, AsyncExitStack() as copies:
        copy = media_storage().local_copy(work.source_key, folder.parent)
        try:
            source = await copies.enter_async_context(copy)
        except FileNotFoundError as error:
            raise SourceUnavailable from error
        await check_size(source, work.source_bytes)
        async with proven(work, source), blaming():
            yield source, folder


@asynccontextmanager
async def proven(work: Work, source: Path) -> AsyncGenerator[None]:
    """Let a verdict on the file through only if the file is what was uploaded."""
    try:
        yield
    except (Rejected, ProcessFailed, BrokenOutput):
        await check_content(source, work.source_sha256)
        raise


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


async def _stored(work: Work, chunk_index: int, file: Path, index: Index) -> StoredPiece:
    key = f"{work.attempt}/{file.name}"
    stored = await media_storage().put(key, file)
    return StoredPiece(
        chunk_index=chunk_index,
        key=key,
        codec=index.codec,
        timescale=index.timescale,
        init_length=index.init_length,
        init_sha256=await asyncio.to_thread(_sha256_of_start, file, index.init_length),
        segments=tuple((s.duration, s.offset, s.length) for s in index.segments),
        sha256=stored.sha256,
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
