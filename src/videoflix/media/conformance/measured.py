"""Compare what a multivariant playlist declares with what its media are."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import msgspec

from videoflix.media.conformance.boxes import InitSection
from videoflix.media.conformance.findings import Finding, error, warning
from videoflix.media.conformance.m3u8 import Tag
from videoflix.media.conformance.timeline import TimedTrack, mean_bit_rate, peak_bit_rate

# Apple: the declared peak of a complete playlist is within 10 % of the measured one.
TOO_HIGH = 1.1
FRAME_RATE_TOLERANCE = 0.01


class MeasuredRendition(msgspec.Struct, frozen=True):
    """A media playlist that was read: its track, and its initialisation sections if there are."""

    track: TimedTrack
    target: float
    inits: Sequence[InitSection] = ()

    @property
    def peak(self) -> float:
        return peak_bit_rate(self.track.segments, self.target)

    @property
    def mean(self) -> float:
        return mean_bit_rate(self.track.segments)

    @property
    def frame_rate(self) -> float:
        """Frames per second, over the segments whose samples were counted; 0 if unknown."""
        counted = [found for found in self.track.segments if found.samples]
        seconds = sum(Fraction(found.declared) for found in counted)
        return float(sum(found.samples for found in counted) / seconds) if seconds else 0.0


def variant_findings(
    tag: Tag, name: str, video: MeasuredRendition, audio: Sequence[MeasuredRendition]
) -> Iterator[Finding]:
    """Check an EXT-X-STREAM-INF; `audio` are the renditions of its group."""
    yield from _bandwidth(tag, name, video, audio)
    yield from _codecs(tag, name, [video, *audio])
    picture = next((init for init in video.inits if init.is_video), None)
    size = tag.text("RESOLUTION")
    if picture is not None and size and size != f"{picture.width}x{picture.height}":
        message = f"RESOLUTION is {size}, the picture has {picture.width}x{picture.height}."
        yield error("resolution", name, message)
    yield from _frame_rate(tag, name, video)


def _bandwidth(
    tag: Tag, name: str, video: MeasuredRendition, audio: Sequence[MeasuredRendition]
) -> Iterator[Finding]:
    if not tag.text("BANDWIDTH").isdecimal():
        return
    if any(segment.length is None for segment in video.track.segments):
        return
    declared = int(tag.text("BANDWIDTH"))
    others = [found for found in audio if found.track.name != video.track.name]
    peak = max((found.peak for found in others), default=0.0)
    mean = max((found.mean for found in others), default=0.0)
    if video.track.is_video or not others:
        peak, mean = video.peak + peak, video.mean + mean
    else:  # a variant of sound alone: one rendition of its group is played
        peak, mean = max(video.peak, peak), max(video.mean, mean)
    if declared < peak - 1:
        message = f"BANDWIDTH is {declared}, the measured peak {peak:.0f} bit/s."
        yield error("bandwidth", name, message)
    elif video.track.complete and declared > TOO_HIGH * peak:
        message = f"BANDWIDTH is {declared}, more than 10 % above the measured {peak:.0f} bit/s."
        yield warning("bandwidth", name, message)
    average = tag.text("AVERAGE-BANDWIDTH")
    if not average.isdecimal() or not video.track.complete:
        return
    if not mean / TOO_HIGH - 1 <= int(average) <= mean * TOO_HIGH + 1:
        message = f"AVERAGE-BANDWIDTH is {average}, the measured mean {mean:.0f} bit/s."
        yield error("average-bandwidth", name, message)


def _codecs(tag: Tag, name: str, renditions: Sequence[MeasuredRendition]) -> Iterator[Finding]:
    declared = [codec.strip() for codec in tag.text("CODECS").split(",") if codec.strip()]
    if not declared:
        return
    found = {init.codec for rendition in renditions for init in rendition.inits}
    for codec in sorted(found):
        if not any(_agree(codec, own) for own in declared):
            message = f"CODECS is “{','.join(declared)}”, the media have {codec}."
            yield error("codecs", name, message)


def _agree(measured: str, declared: str) -> bool:
    """Whether a codec string is that of the media, as far as it could be read."""
    if "." in measured:
        return measured.lower() == declared.lower()
    return declared.partition(".")[0] == measured


def _frame_rate(tag: Tag, name: str, video: MeasuredRendition) -> Iterator[Finding]:
    try:
        declared = float(tag.text("FRAME-RATE") or 0)
    except ValueError:
        yield error("frame-rate", name, f"“{tag.text('FRAME-RATE')}” is not a frame rate.")
        return
    measured = video.frame_rate
    is_video = any(init.is_video for init in video.inits)
    if not (declared and measured and is_video):
        return
    if abs(measured - declared) > FRAME_RATE_TOLERANCE * declared:
        message = f"FRAME-RATE is {declared:.3f}, the media have {measured:.3f}."
        yield error("frame-rate", name, message)


def init_findings(name: str, inits: Sequence[InitSection]) -> Iterator[Finding]:
    """A rendition keeps its codec and size, although its initialisation section may change."""
    for number, init in enumerate(inits[1:], 1):
        first = inits[0]
        if (init.codec, init.width, init.height) != (first.codec, first.width, first.height):
            message = (
                f"Initialisation section {number} has {init.codec} {init.width}x{init.height},"
                f" the first {first.codec} {first.width}x{first.height}."
            )
            yield error("map", name, message)
