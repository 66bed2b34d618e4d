"""Times and bytes of the segments of one presentation, and the rules between its tracks.

Playlists and an asset's own rows are brought into the same form, so that the check of a URL and
the check before a film is published apply the same rules.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import msgspec

from videoflix.media.conformance.findings import Finding, error, warning

# EXTINF has six decimals, and decode times are whole ticks.
ROUNDING = 0.001
# How far a segment may be from its place in the playlist: players drop or repeat no frame.
PLACE_TOLERANCE = 0.02
# How much earlier or later than the picture other tracks may end: the last AAC frames are padded.
END_TOLERANCE = 0.1


class TimedSegment(msgspec.Struct, frozen=True, gc=False):
    """A segment of a track; what could not be measured is None.

    `declared` is its duration in seconds. Its samples are shown from `start` to `stop`, and decoded
    from `decode_start` to `decode_stop`. `offset` and `length` are in bytes of the file `resource`,
    which has `resource_bytes`.
    """

    declared: float
    resource: int
    offset: int
    length: int | None
    resource_bytes: int | None = None
    start: float | None = None
    stop: float | None = None
    decode_start: float | None = None
    decode_stop: float | None = None
    samples: int = 0
    begins_with_key_frame: bool | None = None
    discontinuity: bool = False


class TimedTrack(msgspec.Struct, frozen=True):
    """A rendition: `is_video` if it has pictures, `is_text` if it is subtitles; `complete` if no
    segment will follow.
    """

    name: str
    is_video: bool
    complete: bool
    segments: Sequence[TimedSegment]
    is_text: bool = False

    @property
    def duration(self) -> float:
        """In seconds, as the playlist says."""
        return sum(segment.declared for segment in self.segments)

    @property
    def origin(self) -> float | None:
        """What the media's clock shows at the beginning of the playlist."""
        begin = 0.0
        for segment in self.segments:
            if segment.discontinuity:
                return None
            if segment.start is not None:
                return segment.start - begin
            begin += segment.declared
        return None


def track_findings(track: TimedTrack) -> Iterator[Finding]:
    """The rules for a track alone."""
    if not track.segments:
        yield error("no-segments", track.name, "There is no segment.")
        return
    yield from _byte_ranges(track)
    yield from _key_frames(track)
    yield from _durations(track)
    yield from _continuity(track)
    yield from _places(track)


def presentation_findings(tracks: Sequence[TimedTrack]) -> Iterator[Finding]:
    """The rules between the tracks: they begin and end together, on the same segment grid."""
    filled = [track for track in tracks if track.segments]
    reference = next((track for track in filled if track.is_video), None) or next(
        iter(filled), None
    )
    if reference is None:
        return
    for track in filled:
        if track is reference:
            continue
        yield from _origins(reference, track)
        yield from _ends(reference, track)
        if track.is_video and reference.is_video:
            yield from _grids(reference, track)


def _where(track: TimedTrack, number: int) -> str:
    return f"{track.name}, segment {number}"


def _byte_ranges(track: TimedTrack) -> Iterator[Finding]:
    previous: TimedSegment | None = None
    for number, segment in enumerate(track.segments):
        if segment.length is None:
            previous = None
            continue
        end, size = segment.offset + segment.length, segment.resource_bytes
        if segment.length <= 0:
            message = "It has no bytes."
            yield error("byte-range", _where(track, number), message)
        if size is not None and end > size:
            message = f"Its bytes end at {end}, its file at {size}."
            yield error("byte-range", _where(track, number), message)
        if previous is not None and previous.resource == segment.resource:
            before = previous.offset + (previous.length or 0)
            if segment.offset < before:
                message = f"Its bytes begin at {segment.offset}, within the segment before."
                yield error("byte-range", _where(track, number), message)
        previous = segment


def _key_frames(track: TimedTrack) -> Iterator[Finding]:
    for number, segment in enumerate(track.segments):
        if segment.begins_with_key_frame is False:
            message = "It does not begin with a key frame, so players cannot begin there."
            yield error("key-frame", _where(track, number), message)


def _durations(track: TimedTrack) -> Iterator[Finding]:
    for number, segment in enumerate(track.segments):
        if segment.declared <= 0:
            message = "Its duration is 0."
            yield error("duration", _where(track, number), message)
        elif segment.start is not None and segment.stop is not None:
            measured = segment.stop - segment.start
            frame = measured / segment.samples if segment.samples else 0.0
            if abs(measured - segment.declared) > max(PLACE_TOLERANCE, 1.5 * frame):
                message = (
                    f"The playlist says {segment.declared:.3f} s, the media lasts {measured:.3f} s."
                )
                yield error("duration", _where(track, number), message)


def _places(track: TimedTrack) -> Iterator[Finding]:
    """Where segments are on the media's clock agrees with the sum of the durations before."""
    origin, begin = track.origin, 0.0
    for number, segment in enumerate(track.segments):
        if segment.discontinuity:
            origin = None
        if segment.start is not None:
            if origin is None:
                origin = segment.start - begin
            if abs(segment.start - origin - begin) > PLACE_TOLERANCE:
                message = (
                    f"It begins at {segment.start - origin:.3f} s, the playlist puts it at"
                    f" {begin:.3f} s."
                )
                yield error("timeline", _where(track, number), message)
        begin += segment.declared


def _continuity(track: TimedTrack) -> Iterator[Finding]:
    """Decode times continue from segment to segment."""
    for number, (previous, segment) in enumerate(pairwise(track.segments), 1):
        before, begin = previous.decode_stop, segment.decode_start
        if before is None or begin is None or segment.discontinuity:
            continue
        if abs(begin - before) > ROUNDING:
            message = (
                f"{'A gap' if begin > before else 'An overlap'} of {abs(begin - before):.3f} s: its"
                f" decode time is {begin:.3f} s, the segment before ends at {before:.3f} s."
            )
            yield error("continuity", _where(track, number), message)


def _origins(reference: TimedTrack, track: TimedTrack) -> Iterator[Finding]:
    if reference.origin is None or track.origin is None:
        return
    apart = track.origin - reference.origin
    limit = PLACE_TOLERANCE if track.is_video and reference.is_video else END_TOLERANCE
    if abs(apart) > limit:
        message = (
            f"Its clock begins at {track.origin:.3f} s, that of {reference.name} at"
            f" {reference.origin:.3f} s."
        )
        yield error("synchronization", track.name, message)


def _ends(reference: TimedTrack, track: TimedTrack) -> Iterator[Finding]:
    apart = track.duration - reference.duration
    if not (track.complete and reference.complete):
        longest = max(segment.declared for segment in reference.segments)
        if abs(apart) > 3 * longest:
            message = f"It is {abs(apart):.1f} s {_than(apart)} than {reference.name}."
            yield warning("tracks-end-together", track.name, message)
        return
    limit = PLACE_TOLERANCE if track.is_video and reference.is_video else END_TOLERANCE
    if abs(apart) > limit:
        message = (
            f"It lasts {track.duration:.3f} s, {abs(apart):.3f} s {_than(apart)} than"
            f" {reference.name}."
        )
        found = warning if track.is_text else error
        yield found("tracks-end-together", track.name, message)


def _than(apart: float) -> str:
    return "longer" if apart > 0 else "shorter"


def _grids(reference: TimedTrack, track: TimedTrack) -> Iterator[Finding]:
    """Players change between video renditions at the boundaries of segments."""
    ends = zip(_boundaries(reference), _boundaries(track), strict=False)
    for number, (own, other) in enumerate(ends):
        if abs(own - other) > PLACE_TOLERANCE:
            message = f"It ends at {other:.3f} s, in {reference.name} at {own:.3f} s."
            yield error("aligned-segments", _where(track, number), message)
            return


def _boundaries(track: TimedTrack) -> Iterator[float]:
    return accumulate(segment.declared for segment in track.segments)


def peak_bit_rate(segments: Sequence[TimedSegment], target: float) -> float:
    """The peak segment bit rate in bits per second (RFC 8216bis, 4.4.6.2).

    It is the largest of any contiguous segments that last 0.5 to 1.5 times the target duration
    together. Segments of unknown length are left out.
    """
    peak = 0.0
    for first in range(len(segments)):
        seconds, bits = 0.0, 0
        for segment in segments[first:]:
            if segment.length is None:
                break
            seconds, bits = seconds + segment.declared, bits + segment.length * 8
            if seconds > 1.5 * target:
                break
            if seconds >= 0.5 * target and seconds:
                peak = max(peak, bits / seconds)
    return peak or mean_bit_rate(segments)


def mean_bit_rate(segments: Sequence[TimedSegment]) -> float:
    """The average segment bit rate in bits per second, over segments of known length."""
    known = [(found.length, found.declared) for found in segments if found.length is not None]
    seconds = sum(declared for _, declared in known)
    return sum(length for length, _ in known) * 8 / seconds if seconds else 0.0
