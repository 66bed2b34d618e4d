"""Extract the subtitles of an uploaded file; the film plays without them meanwhile."""

from videoflix.media.extract_subtitles import extract_subtitles
from videoflix.media.jobs.encode import EncodeTask, source_workspace
from videoflix.media.jobs.faults import wait_bounded, with_classified_faults
from videoflix.media.payloads import ExtractSubtitles
from videoflix.media.service import Media
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import complete_job, handles


@handles(ExtractSubtitles, on_stall=wait_bounded)
@with_classified_faults
async def run_extract_subtitles(job: ExtractSubtitles) -> None:
    async with transaction() as session:
        asset = await Media(session).asset_to_illustrate(job.asset_id)
        if asset is None or asset.plan is None:
            return
        work = EncodeTask.on(asset)
    found = {}
    if work.plan is not None and work.plan.subtitles:
        async with source_workspace(work) as (source, folder):
            found = await extract_subtitles(source, work.plan, folder)
    async with complete_job() as session:
        await Media(session).set_subtitles(job.asset_id, found)
