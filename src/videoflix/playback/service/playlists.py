"""Playlists and segments that a viewer can play."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import VideoState
from videoflix.catalog.service import Catalog
from videoflix.catalog.service.chapters import Chapters
from videoflix.catalog.service.subtitles import Subtitles, SubtitleVersion
from videoflix.media.models import AUDIO, TrackKind
from videoflix.media.schemas import Presentation, SegmentedTrack
from videoflix.media.service import Presentations
from videoflix.platform.auth.tokens import Purpose
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Conflict
from videoflix.playback.chapters import DATA_ID
from videoflix.playback.hls import IFrameVariant, Variant, multivariant_playlist
from videoflix.playback.schemas import PlaybackUrl
from videoflix.playback.service.access import VideoFailed
from videoflix.playback.service.alternatives import audio_alternatives, audio_groups
from videoflix.playback.service.play_tokens import Grant, sign_play_token
from videoflix.playback.service.playheads import playheads
from videoflix.playback.service.segments import (
    Playlist,
    Slice,
    StreamNotFound,
    init_slice,
    part_slice,
    segment_slice,
    store,
)
from videoflix.playback.service.subtitles import GROUP, subtitle_alternatives
from videoflix.profiles.schemas import Viewer
from videoflix.settings import settings

KEY_FRAMES = "iframes.m3u8"
# A variant at most as large is required for cellular networks (Apple, HLS Authoring Specification).
CELLULAR_BITS = 192_000
FILE_NAME = re.compile(
    r"(?:init-(?P<chunk>[0-9]{1,6})\.mp4|(?P<segment>[0-9]{5,7})\.m4s"
    r"|part-(?P<part>[0-9]{1,6})(?:-(?P<range>[0-9]{5,7}))?\.mp4)"
)


class NotPlayableYet(Conflict):
    """The first seconds of this film are still being encoded; try again in a moment."""


class Playback:
    def __init__(self, session: AsyncSession) -> None:
        self.catalog = Catalog(session)

    async def open(
        self, viewer: Viewer, sign_in_id: int, video_id: int, lease_id: int = 0
    ) -> PlaybackUrl:
        """Create a play token and its URL. Raises NotPlayableYet or VideoFailed."""
        video = await self.catalog.video(viewer, video_id)
        if video.state is VideoState.FAILED:
            raise VideoFailed(video.failure_reason or "")
        if not video.playable:
            raise NotPlayableYet(progress=video.progress)
        grant = Grant(video_id, viewer.user_id, viewer.profile_id, sign_in_id, lease_id)
        token = sign_play_token(Purpose.PLAY, grant)
        is_complete = video.state is VideoState.READY
        return PlaybackUrl(
            master_url=f"/api/v1/videos/{video_id}/master.m3u8?token={token}",
            dash_url=f"/api/v1/videos/{video_id}/manifest.mpd?token={token}"
            if is_complete
            else None,
            expires_at=datetime.now(UTC) + settings.play_token_lifetime,
        )


async def master_playlist(viewer: Viewer, video_id: int, base: str) -> str:
    """Make the multivariant playlist for a viewer; `base` is the prefix of all URIs.

    Raises NotPlayableYet.
    """
    presentation = await current_presentation(video_id)

    def address(track: SegmentedTrack) -> str:
        return f"{base}assets/{presentation.asset_id}/{track.name}/index.m3u8"

    groups = audio_groups(presentation)
    subtitles, has_chapters = await _texts(video_id)
    texts = subtitle_alternatives(presentation, subtitles, base)
    variants = [
        _variant(presentation, track, group, groups.get(group, []), address(track))
        for group in groups or [""]
        for track in allowed_tracks(viewer, presentation)
    ]
    if groups and all(found.bandwidth > CELLULAR_BITS for found in variants):
        variants.append(_audio_only(presentation, groups, address))
    if texts:
        variants = [msgspec.structs.replace(found, subtitles=GROUP) for found in variants]
    return multivariant_playlist(
        variants,
        [*audio_alternatives(groups, address), *texts],
        session_data={DATA_ID: f"{base}chapters.json"} if has_chapters else None,
        key_frames=key_frame_variants(viewer, presentation, base),
    )


def key_frame_variants(
    viewer: Viewer, presentation: Presentation, base: str
) -> list[IFrameVariant]:
    """The I-frame playlists: of complete films whose key frames are known."""
    if not presentation.complete:
        return []
    return [
        IFrameVariant(
            uri=f"{base}assets/{presentation.asset_id}/{track.name}/{KEY_FRAMES}",
            width=track.width,
            height=track.height,
            codecs=track.codec,
            bandwidth=rates.peak,
            average_bandwidth=rates.mean,
        )
        for track in allowed_tracks(viewer, presentation)
        if track.key_frames
        for rates in [store.key_frame_rates(presentation, track)]
    ]


async def single_variant_playlist(
    viewer: Viewer, video_id: int, lines: int, address: Callable[[int, str], str]
) -> str:
    """Make a multivariant playlist with one rendition of at most `lines` lines, and its audio.

    `address` maps asset id and rendition name to a URI. If all renditions are larger, the smallest
    is used. Raises NotPlayableYet.
    """
    presentation = await current_presentation(video_id)
    stereo = dict(list(audio_groups(presentation).items())[:1])
    renditions = sorted(allowed_tracks(viewer, presentation), key=lambda found: found.lines)
    fitting = [found for found in renditions if found.lines <= lines]
    chosen = (fitting or renditions[:1])[-1]
    group, audio = next(iter(stereo.items()), ("", []))
    uri = address(presentation.asset_id, chosen.name)
    return multivariant_playlist(
        [_variant(presentation, chosen, group, audio, uri)],
        audio_alternatives(stereo, lambda track: address(presentation.asset_id, track.name)),
    )


async def playlist(
    viewer: Viewer,
    video_id: int,
    asset_id: int,
    rendition: str,
    prefix: str = "",
    query: str = "",
) -> Playlist:
    """Get a rendition's media playlist; `prefix` and `query` surround all URIs in it.

    Raises StreamNotFound.
    """
    presentation = await store.presentation(video_id, asset_id)
    track = presentation.tracks.get(rendition)
    if track is None:
        raise StreamNotFound
    if not plan_allows_track(viewer, presentation, track):
        raise StreamNotFound("Your plan doesn't include this resolution.")
    return store.playlist(presentation, track, prefix, query)


async def key_frame_playlist(
    viewer: Viewer, video_id: int, asset_id: int, rendition: str
) -> Playlist:
    """Get a rendition's I-frame playlist. Raises StreamNotFound."""
    presentation = await store.presentation(video_id, asset_id)
    track = presentation.tracks.get(rendition)
    if track is None or not track.key_frames or not presentation.complete:
        raise StreamNotFound
    if not plan_allows_track(viewer, presentation, track):
        raise StreamNotFound("Your plan doesn't include this resolution.")
    return store.key_frame_playlist(presentation, track)


async def locate(
    viewer: Viewer, video_id: int, asset_id: int, rendition: str, file_name: str
) -> Slice:
    """Locate the bytes of a segment, initialisation section or part. Raises StreamNotFound."""
    presentation = await store.presentation(video_id, asset_id)
    track, name = presentation.tracks.get(rendition), FILE_NAME.fullmatch(file_name)
    if track is None or name is None or not plan_allows_track(viewer, presentation, track):
        raise StreamNotFound
    reached = None
    if name["chunk"] is not None:
        found = init_slice(track, int(name["chunk"]))
    elif name["part"] is not None:
        found = part_slice(track, int(name["part"]))
        reached = int(name["range"]) if name["range"] else None
    else:
        found, reached = segment_slice(track, int(name["segment"])), int(name["segment"])
    if reached is not None and not presentation.complete:
        await playheads.reached(asset_id, reached)
    if found is None:
        raise StreamNotFound
    return found


async def current_presentation(video_id: int) -> Presentation:
    """What can be played of a video now. Raises NotPlayableYet."""
    async with transaction() as session:
        asset_id = await Presentations(session).current_of(video_id)
    if asset_id is None:
        raise NotPlayableYet
    return await store.presentation(video_id, asset_id)


async def subtitle_versions(video_id: int) -> list[SubtitleVersion]:
    async with transaction() as session:
        return await Subtitles(session).versions(video_id)


async def _texts(video_id: int) -> tuple[list[SubtitleVersion], bool]:
    """The subtitles of a video, and whether it has chapters."""
    async with transaction() as session:
        subtitles = await Subtitles(session).versions(video_id)
        return subtitles, bool(await Chapters(session).of_video(video_id))


def plan_allows_track(viewer: Viewer, presentation: Presentation, track: SegmentedTrack) -> bool:
    """Whether the viewer's plan includes a rendition; every plan includes audio and the smallest.

    Lines are those of the shorter side, so that portrait videos count the same.
    """
    if viewer.max_height is None or track.kind is not TrackKind.VIDEO:
        return True
    renditions = [rung for rung in presentation.tracks.values() if rung.kind is TrackKind.VIDEO]
    return plan_allows(viewer, track.lines, min(rung.lines for rung in renditions))


def plan_allows(viewer: Viewer, lines: int, smallest: int) -> bool:
    """Whether the viewer's plan includes a resolution, in lines of the shorter side."""
    return viewer.max_height is None or lines <= viewer.max_height or lines == smallest


def allowed_tracks(viewer: Viewer, presentation: Presentation) -> list[SegmentedTrack]:
    """The renditions the viewer can play now. Raises NotPlayableYet."""
    audio = presentation.tracks.get(AUDIO)
    renditions = [
        track
        for track in presentation.tracks.values()
        if track.kind is TrackKind.VIDEO
        and track.keys
        and plan_allows_track(viewer, presentation, track)
    ]
    if not renditions or (audio and not audio.keys):
        raise NotPlayableYet
    return renditions


def _variant(
    presentation: Presentation,
    track: SegmentedTrack,
    group: str,
    audio: list[SegmentedTrack],
    uri: str,
) -> Variant:
    """A variant with the audio of a group; the bit rates are those with its largest track."""
    peak, mean = _rates(presentation, track)
    audio_rates = [_rates(presentation, found) for found in audio]
    codecs = dict.fromkeys([track.codec, *(found.codec for found in audio)])
    return Variant(
        uri=uri,
        width=track.width,
        height=track.height,
        frame_rate=presentation.frame_rate,
        codecs=",".join(codecs),
        bandwidth=peak + max([peak for peak, _ in audio_rates], default=0),
        average_bandwidth=mean + max([mean for _, mean in audio_rates], default=0),
        audio=group,
    )


def _audio_only(
    presentation: Presentation,
    groups: dict[str, list[SegmentedTrack]],
    address: Callable[[SegmentedTrack], str],
) -> Variant:
    """The stereo sound without pictures, for slow connections."""
    group, tracks = next(iter(groups.items()))
    rates = [_rates(presentation, track) for track in tracks]
    return Variant(
        uri=address(tracks[0]),
        width=0,
        height=0,
        frame_rate=0,
        codecs=tracks[0].codec,
        bandwidth=max(peak for peak, _ in rates),
        average_bandwidth=max(mean for _, mean in rates),
        audio=group,
    )


def _rates(presentation: Presentation, track: SegmentedTrack) -> tuple[int, int]:
    """BANDWIDTH and AVERAGE-BANDWIDTH of a track.

    While the video is being encoded its peak is unknown, so the encoder's limit is used instead:
    BANDWIDTH must be an upper bound.
    """
    found = store.rates(presentation, track)
    peak = found.peak if presentation.complete else max(found.peak, track.max_bitrate)
    return peak, found.mean
