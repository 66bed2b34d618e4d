"""Jobs for an uploaded file: inspect, encode chunks and audio.

Each handler reads in a short transaction, works for minutes without one, and publishes its result
in another, which also completes the job. Jobs may run twice: each attempt writes to its own
folder, and the publishing transaction accepts only one attempt (fencing).
"""

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from videoflix.media.encode import encode_chunk
from videoflix.media.encode_audio import FIRST_SEGMENTS, AudioPart, encode_audio
from videoflix.media.fmp4 import Index, InvalidOutput
from videoflix.media.jobs.faults import (
    SourceUnavailable,
    check_content,
    check_size,
    classify_faults,
    with_classified_faults,
)
from videoflix.media.models import Asset
from videoflix.media.payloads import EncodeAudio, EncodeChunk, Inspect
from videoflix.media.plan import EncodePlan, make_plan
from videoflix.media.probe.rejection import SourceRejected
from videoflix.media.probe.source import ClockBroken, probe
from videoflix.media.remux import remux, remux_spec
from videoflix.media.schemas import StoredFileIndex
from videoflix.media.segment_index import pack_lengths
from videoflix.media.service import Failures, Media, Publication
from videoflix.platform.postgres.session import transaction
from videoflix.platform.process.run import ProcessFailed
from videoflix.platform.process.scratch import scratch_folder
from videoflix.platform.queue import (
    AttemptLost,
    TransientError,
    complete_job,
    handles,
)
from videoflix.platform.storage.local_copies import ObjectDamaged, discard_copy, local_copy
from videoflix.platform.storage.media_storage import media_storage

REPORT_SECONDS = 1.0

logger = logging.getLogger(__name__)


class EncodeTask(msgspec.Struct, frozen=True):
    """The input of an attempt: the source, its plan, and the attempt's own storage folder."""

    source_key: str
    source_bytes: int
    source_sha256: str
    attempt: str
    plan: EncodePlan | None

    @classmethod
    def on(cls, asset: Asset) -> Self:
        """Start a new attempt on an asset."""
        return cls(
            source_key=asset.source_key,
            source_bytes=asset.source_bytes,
            source_sha256=asset.source_sha256,
            attempt=f"{asset.folder}/{uuid.uuid4().hex}",
            plan=msgspec.convert(asset.plan, EncodePlan) if asset.plan else None,
        )

    def in_new_folder(self) -> Self:
        """The same input with another folder, for results that are published one by one."""
        folder = self.attempt.rpartition("/")[0]
        return msgspec.structs.replace(self, attempt=f"{folder}/{uuid.uuid4().hex}")


async def task_for(asset_id: int) -> EncodeTask | None:
    """Load an unfinished asset's task; None if there is no work left."""
    async with transaction() as session:
        asset = await Media(session).asset(asset_id)
        return None if asset is None else EncodeTask.on(asset)


async def stall(job: Inspect | EncodeChunk | EncodeAudio, fault: TransientError) -> None:
    """Mark the asset as stalled."""
    async with transaction() as session:
        await Failures(session).stall(job.asset_id, fault)


@handles(Inspect, on_stall=stall)
@with_classified_faults
async def inspect(job: Inspect) -> None:
    work = await task_for(job.asset_id)
    if work is None or work.plan is not None:
        return
    try:
        async with source_workspace(work) as (source, folder):
            plan = await planned(source, folder)
    except SourceRejected as refusal:  # permanent: a retry cannot succeed
        async with complete_job() as session:
            await Failures(session).reject(job.asset_id, refusal.code, refusal.reason)
        return
    async with complete_job() as session:
        await Media(session).adopt_plan(job.asset_id, plan)


async def planned(source: Path, folder: Path) -> EncodePlan:
    """Plan the encoding of a source, remuxed if its clock is broken. Raises SourceRejected."""
    try:
        return make_plan(await probe(source))
    except ClockBroken as broken:
        spec = remux_spec(broken)
        if spec is None:
            raise _joined() from broken
        remuxed = await remux(source, spec, folder, broken.seconds)
    try:
        return make_plan(await probe(remuxed), spec)
    except ClockBroken as broken:
        raise _joined() from broken


def _joined() -> SourceRejected:
    return SourceRejected(
        "clock-restarts",
        "The times in the file start again or jump: it was joined from several recordings."
        " Upload the recordings one by one, or join them with a video editor.",
    )


@handles(EncodeChunk, on_stall=stall)
@with_classified_faults
async def run_encode_chunk(job: EncodeChunk) -> None:
    async with transaction() as session:
        if await Media(session).chunks.is_done(job.asset_id, job.index):
            return
    work = await task_for(job.asset_id)
    if work is None or work.plan is None:
        return
    report = ProgressReport(job)
    async with source_workspace(work) as (source, folder):
        span = work.plan.spans[job.index]
        indexes = await encode_chunk(source, work.plan, span, folder, report.frames)
        await publish(job.asset_id, job.index, work, folder, indexes)


@handles(EncodeAudio, on_stall=stall)
@with_classified_faults
async def run_encode_audio(job: EncodeAudio) -> None:
    work = await task_for(job.asset_id)
    if work is None or work.plan is None:
        return
    async with transaction() as session:
        publication = Publication(session)
        if not job.track and await publication.adopt_whole_audio(job.asset_id, FIRST_SEGMENTS):
            return
        published = await publication.audio_parts(job.asset_id, job.track)

    async def publish_part(part: AudioPart) -> None:
        if part.is_last or part.number not in published:
            await publish_audio(job, part, work.in_new_folder())
        part.file.unlink()

    async with source_workspace(work) as (source, folder):
        await encode_audio(source, work.plan, folder, publish_part, job.track)


async def publish_audio(job: EncodeAudio, part: AudioPart, work: EncodeTask) -> None:
    """Store a part of the audio, then publish it; the last one completes the job."""
    stored = await _stored(work, part.number, part.file, part.index)
    async with complete_job() if part.is_last else transaction() as session:
        is_new = await Publication(session).publish_audio(
            job.asset_id, job.track, stored, is_last=part.is_last
        )
    if not is_new:  # another attempt published it, or the video was deleted
        await media_storage().delete_below(work.attempt)


class SupersededAttempt(Exception):
    """Another attempt published first, or the video was deleted: the files are not needed."""


@asynccontextmanager
async def attempt_files(work: EncodeTask) -> AsyncGenerator[None]:
    """Delete what the block stored in the attempt's folder, unless it was published.

    Raises AttemptLost. After any other error it is unknown whether the files were published (the
    connection can be lost during COMMIT), so they are left to the sweep.
    """
    try:
        yield
    except (AttemptLost, SupersededAttempt) as superseded:
        await media_storage().delete_below(work.attempt)
        if isinstance(superseded, AttemptLost):
            raise
        logger.info("attempt %s was superseded: deleted its files", work.attempt)


@asynccontextmanager
async def source_workspace(work: EncodeTask) -> AsyncGenerator[tuple[Path, Path]]:
    """Yield the source as a local file, and an empty folder for results, deleted afterwards.

    Raises TransientError for faults of this machine or the storage.
    """
    async with classify_faults(), workspace() as folder, AsyncExitStack() as copies:
        copy = local_copy(media_storage(), work.source_key, work.source_sha256)
        try:
            source = await copies.enter_async_context(copy)
        except (FileNotFoundError, ObjectDamaged) as error:
            raise SourceUnavailable from error
        try:
            await check_size(source, work.source_bytes)
            async with verify_before_verdict(work, source), classify_faults():
                if work.plan is not None and work.plan.remux is not None:
                    source = await remux(source, work.plan.remux, folder, work.plan.duration)
                yield source, folder
        except SourceUnavailable:  # perhaps only the copy is damaged
            await discard_copy(media_storage(), work.source_key)
            raise


@asynccontextmanager
async def verify_before_verdict(work: EncodeTask, source: Path) -> AsyncGenerator[None]:
    """Blame the file only if its checksum matches the upload. Raises SourceUnavailable."""
    try:
        yield
    except (SourceRejected, ProcessFailed, InvalidOutput):
        await check_content(source, work.source_sha256)
        raise


@asynccontextmanager
async def workspace() -> AsyncGenerator[Path]:
    """Yield an empty scratch folder, deleted afterwards."""
    scratch = await asyncio.to_thread(scratch_folder)
    with TemporaryDirectory(dir=scratch) as name:
        yield Path(name)


async def publish(
    asset_id: int, index: int, work: EncodeTask, folder: Path, indexes: dict[str, Index]
) -> None:
    """Store a chunk's verified files, then publish them in one fenced transaction."""
    async with attempt_files(work):
        pieces = {
            name: await _stored(work, index, folder / f"{name}.mp4", found)
            for name, found in indexes.items()
        }
        async with complete_job() as session:
            if not await Publication(session).publish_files(asset_id, index, pieces):
                raise SupersededAttempt


async def _stored(work: EncodeTask, chunk_index: int, file: Path, index: Index) -> StoredFileIndex:
    key = f"{work.attempt}/{file.name}"
    stored = await media_storage().put(key, file)
    return StoredFileIndex(
        chunk_index=chunk_index,
        key=key,
        codec=index.codec,
        timescale=index.timescale,
        init_length=index.init_length,
        init_sha256=await asyncio.to_thread(_sha256_of_start, file, index.init_length),
        segments=tuple((s.duration, s.offset, s.length) for s in index.segments),
        sha256=stored.sha256,
        start_ticks=index.shown_from,
        file_bytes=index.length,
        key_frames=_key_frames(index),
    )


def _key_frames(index: Index) -> bytes | None:
    """The lengths of the key frames of a picture; nobody seeks through those of audio."""
    if index.codec.startswith("mp4a"):
        return None
    return pack_lengths(segment.key_length for segment in index.segments)


def _sha256_of_start(file: Path, length: int) -> str:
    with file.open("rb") as opened:
        return hashlib.sha256(opened.read(length)).hexdigest()


class ProgressReport:
    """Write the progress of a chunk to the database, at most every REPORT_SECONDS."""

    def __init__(self, job: EncodeChunk) -> None:
        self._job = job
        self._last = time.monotonic()

    async def frames(self, count: int) -> None:
        """Report the number of encoded frames; best effort."""
        if time.monotonic() - self._last < REPORT_SECONDS:
            return
        self._last = time.monotonic()
        try:
            async with transaction() as session:
                await Media(session).report(self._job.asset_id, self._job.index, count)
        except (SQLAlchemyError, OSError) as error:  # encoding continues
            logger.debug("could not report the progress of asset %s: %s", self._job.asset_id, error)
