"""Encode an uploaded file again: a copy of it replaces it, and is played once it is complete."""

import hashlib
import uuid

from videoflix.media.jobs.faults import SourceUnavailable, wait_bounded, with_classified_faults
from videoflix.media.models import AssetState
from videoflix.media.payloads import EncodeAgain
from videoflix.media.schemas import StoredFile
from videoflix.media.service import Media
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import AttemptLost, complete_job, handles
from videoflix.platform.storage.media_storage import media_storage


@handles(EncodeAgain, on_stall=wait_bounded)
@with_classified_faults
async def run_encode_again(job: EncodeAgain) -> None:
    async with transaction() as session:
        asset = await Media(session).assets.get_one_or_none(id=job.asset_id)
        if asset is None or asset.is_unfinished or asset.state is AssetState.RETIRED:
            return
        if await Media(session).assets.latest_of(asset.video_id) is not asset:
            return  # another file has been uploaded since
        video_id, key = asset.video_id, asset.source_key
        name, size, sha256 = asset.source_name, asset.source_bytes, asset.source_sha256
    folder = f"assets/{uuid.uuid4().hex}"
    file = StoredFile(folder, f"{folder}/{key.rpartition('/')[2]}", name, size, sha256)
    await media_storage().refuse_if_full(size)
    try:
        await _copy(key, file)
        async with complete_job() as session:
            await Media(session).replace(video_id, file)
    except (AttemptLost, SourceUnavailable):
        await media_storage().delete_below(folder)
        raise


async def _copy(key: str, file: StoredFile) -> None:
    """Raises SourceUnavailable if the source is missing or damaged."""
    digest = hashlib.sha256()
    async with media_storage().writing(file.key) as writer:
        try:
            async for part in media_storage().stream(key):
                digest.update(part)
                await writer.write(part)
        except FileNotFoundError as error:
            raise SourceUnavailable from error
    if digest.hexdigest() != file.sha256:
        raise SourceUnavailable
