"""How far the processing of a video is, and stopping or repeating it."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.schemas import Failure
from videoflix.catalog.service import VideoNotFound
from videoflix.media.models import Asset, AssetState, TrackKind
from videoflix.media.payloads import EncodeAgain
from videoflix.media.plan import EncodePlan
from videoflix.media.schemas import EncodingRead, SegmentedTrack, TrackProgress
from videoflix.media.service.failures import Failures, SourceRemoved
from videoflix.media.service.presentations import COMPLETE, Presentations
from videoflix.platform.postgres.session import transaction_time
from videoflix.platform.problems import Conflict
from videoflix.platform.queue import enqueue

# The speed is that of this last time, so that it follows workers that come and go.
SPEED_SECONDS = 300
CANCELLED = "cancelled"
# An audio track ends within a frame of the film.
ROUNDING_SECONDS = 0.1


class NothingToCancel(Conflict):
    """There is nothing to cancel: no file of this film is being processed."""


class EncodingRuns(Conflict):
    """This film is being processed. Wait until it is complete, or cancel it first."""


class NothingToEncode(Conflict):
    """This film has no file yet. Upload one."""


class Encoding:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.failures = Failures(session)
        self.assets = self.failures.assets
        self.chunks = self.failures.media.chunks

    async def read(self, video_id: int) -> EncodingRead:
        """The progress of a video's newest file. Raises VideoNotFound or NothingToEncode."""
        if not await self.failures.catalog.videos.exists(id=video_id, deleted_at=None):
            raise VideoNotFound
        asset = await self.assets.latest_of(video_id)
        if asset is None:
            raise NothingToEncode
        share = 1.0 if asset.state in COMPLETE else await self.chunks.share_encoded(asset.id)
        duration = msgspec.convert(asset.plan, EncodePlan).duration if asset.plan else 0.0
        tracks = await Presentations(self.session).tracks_of(asset.id)
        return EncodingRead(
            video_id=video_id,
            asset_id=asset.id,
            state=asset.state,
            encoded=round(share, 4),
            failure=_failure(asset.failure_code, asset.failure_reason),
            stalled=_failure(asset.stalled_code, asset.stalled_reason),
            seconds_left=await self._seconds_left(asset) if asset.is_unfinished else None,
            films_ahead=await self._films_ahead(asset, share) if asset.is_unfinished else None,
            tracks=[_progress(track, share, duration) for track in tracks],
        )

    async def cancel(self, video_id: int) -> None:
        """Stop the processing of a video's newest file; what is encoded is kept for a retry.

        Raises VideoNotFound or NothingToCancel.
        """
        asset = await self._newest(video_id)
        if asset is None or not asset.is_unfinished:
            raise NothingToCancel
        await self.failures.fail(asset.id, CANCELLED, "Processing was cancelled. Retry resumes it.")

    async def encode_again(self, video_id: int) -> None:
        """Encode the newest file with the present settings; the film plays meanwhile.

        Raises VideoNotFound, NothingToEncode, EncodingRuns or SourceRemoved.
        """
        asset = await self._newest(video_id)
        if asset is None:
            raise NothingToEncode
        if asset.is_unfinished:
            raise EncodingRuns
        if asset.source_removed_at is not None:
            raise SourceRemoved
        await enqueue(self.session, EncodeAgain(asset_id=asset.id))

    async def _newest(self, video_id: int) -> Asset | None:
        video = await self.failures.catalog.locked(video_id)
        if video.deleted_at is not None:
            raise VideoNotFound
        return await self.assets.last_of(video_id)

    async def _seconds_left(self, asset: Asset) -> float | None:
        """At the speed of the last minutes; None while it is unknown, or nothing progresses."""
        if asset.state is not AssetState.ENCODING:
            return None
        now: datetime = await transaction_time(self.session)
        work = await self.chunks.progress_since(asset.id, now - timedelta(seconds=SPEED_SECONDS))
        if work is None or not work.recent:
            return None
        span = min(float(SPEED_SECONDS), (now - work.begun_at).total_seconds())
        return round((work.total - work.encoded) * max(span, 1.0) / work.recent, 1)

    async def _films_ahead(self, asset: Asset, share: float) -> int:
        """How many films were uploaded earlier and are not complete; 0 once it is encoded."""
        return 0 if share else await self.assets.unfinished_before(asset.id)


def _failure(code: str | None, reason: str | None) -> Failure | None:
    return Failure(code, reason or "") if code else None


def _progress(track: SegmentedTrack, share: float, duration: float) -> TrackProgress:
    """Video tracks are encoded together; audio is as far as its published parts."""
    if track.kind is not TrackKind.VIDEO:
        share = 1.0 if duration - track.duration < ROUNDING_SECONDS else track.duration / duration
    return TrackProgress(
        name=track.name,
        kind=track.kind,
        width=track.width or None,
        height=track.height or None,
        language=track.language or None,
        label=track.label or None,
        channels=track.channels if track.kind is TrackKind.AUDIO else None,
        encoded=round(share, 4),
        playable_seconds=round(track.duration, 3),
    )
