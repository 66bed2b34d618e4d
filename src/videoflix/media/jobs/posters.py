"""Make posters: choose a frame of the video, and scale it down to the sizes that are served."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from videoflix.media.jobs.encode import (
    EncodeTask,
    SupersededAttempt,
    attempt_files,
    source_workspace,
)
from videoflix.media.jobs.faults import wait_bounded, with_classified_faults
from videoflix.media.payloads import MakePoster, ScalePoster
from videoflix.media.poster import (
    Candidate,
    Frame,
    PosterFailed,
    Stills,
    decode_frames,
    most_detailed,
    sizes_of,
)
from videoflix.media.service import Media
from videoflix.media.service.posters import Posters, store_sizes
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import complete_job, handles
from videoflix.platform.storage.media_storage import media_storage

logger = logging.getLogger(__name__)


@handles(MakePoster, on_stall=wait_bounded)
@with_classified_faults
async def run_make_poster(job: MakePoster) -> None:
    async with transaction() as session:
        asset = await Media(session).asset_to_illustrate(job.asset_id)
        if asset is None:
            return
        work = EncodeTask.on(asset)
    if work.plan is None:
        return
    async with source_workspace(work) as (source, folder), attempt_files(work):
        frames = await decode_frames(source, work.plan, folder)
        stills = await _stored(work.attempt, frames)
        async with complete_job() as session:
            if not await Media(session).set_stills(job.asset_id, stills):
                raise SupersededAttempt


async def _stored(attempt: str, frames: Sequence[Frame]) -> Stills:
    """Store the frames, and the sizes of the most detailed one, which becomes the poster."""
    best = most_detailed(frames)
    poster = f"{attempt}/poster.jpg"
    candidates = []
    for number, frame in enumerate(frames):
        key = poster if frame is best else f"{attempt}/candidate-{number}.jpg"
        await media_storage().put(key, frame.file)
        candidates.append(Candidate(key, frame.seconds))
    sizes = await sizes_of(await asyncio.to_thread(Path.read_bytes, best.file))
    return Stills(poster, await store_sizes(poster, sizes), tuple(candidates))


@handles(ScalePoster, on_stall=wait_bounded)
@with_classified_faults
async def scale_poster(job: ScalePoster) -> None:
    async with transaction() as session:
        poster = await Posters(session).without_sizes(job.video_id)
    if poster is None:
        return
    try:
        sizes = await sizes_of(await media_storage().read_all(poster))
    except (FileNotFoundError, PosterFailed):
        logger.warning("the poster of video %d is lost or damaged: making another", job.video_id)
        async with complete_job() as session:
            await Posters(session).make_again(job.video_id)
        return
    widths = await store_sizes(poster, sizes)
    async with complete_job() as session:
        # Otherwise it was replaced meanwhile, and the sweep deletes the sizes.
        await Posters(session).set_sizes(job.video_id, poster, widths)
