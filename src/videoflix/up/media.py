"""`videoflix media retry`."""

from videoflix.media.service import Failures
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import for_each_in_transaction
from videoflix.up.admin import errors_as_sentences


async def retry(video_id: int | None) -> int:
    """Resume processing of a video, or of all with a failed file; return how many.

    Raises ClickException.
    """
    with errors_as_sentences():
        if video_id is not None:
            async with transaction() as session:
                await Failures(session).retry(video_id)
            return 1
        async with transaction() as session:
            failed = await Failures(session).work.failed()
        return await for_each_in_transaction(
            failed, lambda session, one: Failures(session).retry_failed(one)
        )
