"""The audio and subtitles that viewers of a presentation can choose."""

from collections.abc import Callable, Iterable

from videoflix.media.models import TrackKind
from videoflix.media.schemas import Presentation, SegmentedTrack
from videoflix.platform.languages import language_name
from videoflix.playback.hls import Alternative

STEREO = 2
# GROUP-IDs by channels; each group has every audio track, so that a choice outlives a change.
GROUPS = {STEREO: "audio", 6: "surround"}
DESCRIBES_VIDEO = "public.accessibility.describes-video"


def audio_groups(presentation: Presentation) -> dict[str, list[SegmentedTrack]]:
    """The audio that has begun, by group: all in stereo, then 5.1 where there is any."""
    tracks = presentation.tracks.values()
    begun = [track for track in tracks if track.kind is TrackKind.AUDIO and track.keys]
    stereo = [track for track in begun if track.channels == STEREO]
    surround = {track.source_index: track for track in begun if track.channels != STEREO}
    groups = {GROUPS[STEREO]: stereo} if stereo else {}
    if surround:
        groups[GROUPS[6]] = [surround.get(track.source_index, track) for track in stereo]
    return groups


def audio_alternatives(
    groups: dict[str, list[SegmentedTrack]], address: Callable[[SegmentedTrack], str]
) -> list[Alternative]:
    """Describe the groups for a multivariant playlist; `address` maps a track to its URI."""
    return [
        Alternative(
            kind="AUDIO",
            group=group,
            uri=address(track),
            name=name,
            language=track.language,
            is_default=not number,
            autoselect=not number or track.is_described or _is_first_of_language(tracks, number),
            characteristics=DESCRIBES_VIDEO if track.is_described else "",
            channels=track.channels,
        )
        for group, tracks in groups.items()
        for number, (track, name) in enumerate(zip(tracks, unique_names(tracks), strict=True))
    ]


def _is_first_of_language(tracks: list[SegmentedTrack], number: int) -> bool:
    language = tracks[number].language
    return bool(language) and all(track.language != language for track in tracks[:number])


def unique_names(tracks: Iterable[SegmentedTrack]) -> list[str]:
    """Name tracks by their label or language; no two alike."""
    names: list[str] = []
    for track in tracks:
        language = language_name(track.language) if track.language else ""
        label = track.label or language or ("Audio" if names else "Main")
        both = f"{label} ({language})" if language and language != label else label
        numbered = (f"{both} {number}" for number in range(2, len(names) + 3))
        names.append(next(name for name in (label, both, *numbered) if name not in names))
    return names
