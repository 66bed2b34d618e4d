"""DASH manifests over the segments that HLS playlists list, for complete films.

A film that is being encoded is refused: an MPD that grows is a live stream to players, which begin
near its end and expect it to grow in real time (ADR 30).
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice, pairwise

from videoflix.catalog.service.subtitles import SubtitleVersion
from videoflix.media.models import TrackKind
from videoflix.media.schemas import Presentation, SegmentedTrack
from videoflix.platform.problems import Conflict
from videoflix.playback.dash import AdaptationSet, Period, Representation, SegmentTimes, manifest
from videoflix.playback.service.alternatives import audio_groups, unique_names
from videoflix.playback.service.playlists import (
    allowed_tracks,
    current_presentation,
    subtitle_versions,
)
from videoflix.playback.service.segments import store
from videoflix.playback.service.subtitles import WHOLE, subtitle_name
from videoflix.profiles.schemas import Viewer

# NTSC and its relatives: 24000/1001.
DENOMINATOR_MAX = 1001
# Of subtitles, which are a few bytes per second; the attribute is required.
TEXT_BANDWIDTH = 1000


class NotCompleteYet(Conflict):
    """DASH is available once this film is completely encoded; until then, play it with HLS."""


async def dash_manifest(viewer: Viewer, video_id: int, base: str) -> str:
    """Make the MPD for a viewer; `base` is the prefix of all URIs.

    Raises NotPlayableYet or NotCompleteYet.
    """
    presentation = await current_presentation(video_id)
    if not presentation.complete:
        raise NotCompleteYet
    videos = allowed_tracks(viewer, presentation)
    texts = list(_texts(await subtitle_versions(video_id)))
    periods = [
        Period(begin, end - begin, [*_sets(presentation, videos, (begin, end)), *texts])
        for begin, end in pairwise(_bounds(presentation, videos))
    ]
    return manifest(
        periods,
        duration=presentation.duration,
        buffer_seconds=presentation.segment_seconds,
        base=base,
    )


def _bounds(presentation: Presentation, videos: Sequence[SegmentedTrack]) -> list[Fraction]:
    """Where periods begin and end, in seconds: at each change of an initialisation section.

    Parts of one film may have been encoded by different releases of the encoder.
    """
    cuts = {_begin(track, track.firsts[part]) for track in videos for part in track.maps if part}
    end = Fraction(presentation.duration).limit_denominator(10**6)
    return [Fraction(0), *sorted(cut for cut in cuts if cut < end), end]


def _begin(track: SegmentedTrack, number: int) -> Fraction:
    """When a segment begins, in seconds."""
    ticks = sum(found for found, _ in islice(track.records(), number))
    return Fraction(ticks, track.timescales[0])


def _sets(
    presentation: Presentation, videos: Sequence[SegmentedTrack], span: tuple[Fraction, Fraction]
) -> Iterator[AdaptationSet]:
    yield AdaptationSet(
        kind="video",
        mime_type="video/mp4",
        frame_rate=Fraction(presentation.frame_rate).limit_denominator(DENOMINATOR_MAX),
        representations=[_representation(presentation, track, span) for track in videos],
    )
    groups = list(audio_groups(presentation).values())
    seen: set[str] = set()
    for tracks in groups:
        for number, (track, name) in enumerate(zip(tracks, unique_names(tracks), strict=True)):
            if track.name in seen:  # a track without surround is in both groups
                continue
            seen.add(track.name)
            yield AdaptationSet(
                kind="audio",
                mime_type="audio/mp4",
                language=track.language,
                label=name,
                roles=["alternate" if number else "main"],
                channels=track.channels,
                is_described=track.is_described,
                representations=[_representation(presentation, track, span)],
            )


def _representation(
    presentation: Presentation, track: SegmentedTrack, span: tuple[Fraction, Fraction]
) -> Representation:
    is_video = track.kind is TrackKind.VIDEO
    return Representation(
        id=track.name,
        base=f"assets/{presentation.asset_id}/{track.name}/",
        bandwidth=store.rates(presentation, track).peak,
        codecs=track.codec,
        width=track.width if is_video else 0,
        height=track.height if is_video else 0,
        times=_times(track, span),
    )


def _times(track: SegmentedTrack, span: tuple[Fraction, Fraction]) -> SegmentTimes:
    """The segments of which some part is in the span."""
    scale = track.timescales[0]
    begin, end = (Fraction(seconds) * scale for seconds in span)
    at, first, start, durations = 0, 0, 0, list[int]()
    half = Fraction(1, 2)  # tick
    for number, (ticks, _) in enumerate(track.records()):
        if at + ticks > begin + half and at < end - half:
            if not durations:
                first, start = number, at
            durations.append(ticks)
        at += ticks
    return SegmentTimes(
        timescale=scale,
        init_uri=f"init-{track.map_of(first)}.mp4",
        number=first,
        start=start,
        origin=round(begin),
        durations=durations,
    )


def _texts(tracks: Sequence[SubtitleVersion]) -> Iterator[AdaptationSet]:
    for number, track in enumerate(tracks, 1):
        base = f"subtitles/{track.language}/{track.digest}/1/{WHOLE}"
        yield AdaptationSet(
            kind="text",
            mime_type="text/vtt",
            language="" if track.language == "und" else track.language,
            label=subtitle_name(track, number),
            roles=["subtitle"],
            representations=[Representation(f"text{number}", base, TEXT_BANDWIDTH)],
        )
