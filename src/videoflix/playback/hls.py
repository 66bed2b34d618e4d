"""Format HLS playlists (RFC 8216bis, protocol version 7)."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

import msgspec

# Players would begin near the end of a playlist that grows.
FROM_START = "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES"
VERSION = 7  # EXT-X-MAP in media playlists, fragmented MP4


class MediaSegment(msgspec.Struct, frozen=True):
    """A segment in a media playlist; `map_uri` is its initialisation section, empty for subtitles.

    `duration` is in seconds, `length` in bytes. With an `offset`, the segment is a byte range of
    `uri`, and its initialisation section the first `map_length` bytes of `map_uri`.
    """

    uri: str
    map_uri: str
    duration: Fraction | float
    length: int
    offset: int | None = None
    map_length: int = 0


class Alternative(msgspec.Struct, frozen=True):
    """Audio or subtitles that viewers choose (EXT-X-MEDIA).

    `kind` is its TYPE, `group` the GROUP-ID that variants refer to, `language` a BCP 47 tag or
    empty. Of a group, one is the default; those with `autoselect` are chosen by the viewer's
    language. `channels` is 0 for subtitles.
    """

    kind: str
    group: str
    uri: str
    name: str
    language: str = ""
    is_default: bool = False
    autoselect: bool = False
    characteristics: str = ""
    channels: int = 0

    def line(self) -> str:
        attributes = {
            "TYPE": self.kind,
            "GROUP-ID": _quoted(self.group),
            "NAME": _quoted(self.name),
            "LANGUAGE": _quoted(self.language) if self.language else "",
            "DEFAULT": "YES" if self.is_default else "NO",
            "AUTOSELECT": "YES" if self.autoselect else "NO",
            "CHARACTERISTICS": _quoted(self.characteristics) if self.characteristics else "",
            "CHANNELS": _quoted(str(self.channels)) if self.channels else "",
            "URI": _quoted(self.uri),
        }
        return "#EXT-X-MEDIA:" + ",".join(
            f"{key}={value}" for key, value in attributes.items() if value
        )


class Variant(msgspec.Struct, frozen=True):
    """A rendition in the multivariant playlist, with the audio of one group.

    `bandwidth` (peak) and `average_bandwidth` are in bits per second, including audio. A variant
    without pictures has no size and frame rate.
    """

    uri: str
    width: int
    height: int
    frame_rate: float
    codecs: str
    bandwidth: int
    average_bandwidth: int
    audio: str = ""
    subtitles: str = ""

    def line(self) -> str:
        groups = {"AUDIO": self.audio, "SUBTITLES": self.subtitles}
        named = "".join(f",{key}={_quoted(group)}" for key, group in groups.items() if group)
        picture = f",RESOLUTION={self.width}x{self.height},FRAME-RATE={self.frame_rate:.3f}"
        return (
            f"#EXT-X-STREAM-INF:BANDWIDTH={self.bandwidth},"
            f"AVERAGE-BANDWIDTH={self.average_bandwidth},"
            f'CODECS="{self.codecs}"{picture if self.width else ""}{named}'
        )


class IFrameVariant(msgspec.Struct, frozen=True):
    """The key frames of a video rendition (EXT-X-I-FRAME-STREAM-INF), for previews and seeking.

    `bandwidth` (peak) and `average_bandwidth` are in bits per second of the film.
    """

    uri: str
    width: int
    height: int
    codecs: str
    bandwidth: int
    average_bandwidth: int

    def line(self) -> str:
        return (
            f"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={self.bandwidth},"
            f"AVERAGE-BANDWIDTH={self.average_bandwidth},"
            f'CODECS="{self.codecs}",RESOLUTION={self.width}x{self.height},URI={_quoted(self.uri)}'
        )


def media_playlist(
    segments: Iterable[MediaSegment],
    *,
    target: float,
    complete: bool,
    query: str = "",
    i_frames_only: bool = False,
) -> str:
    """Format a media playlist: type EVENT while it grows, VOD once complete.

    `target` is the longest segment to come, in seconds: it must not change while the
    playlist grows. `query` is appended to every URI. With `i_frames_only`, each segment is the
    first `length` bytes of its resource, which end with a key frame.
    """
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{math.ceil(target)}",
        f"#EXT-X-PLAYLIST-TYPE:{'VOD' if complete else 'EVENT'}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    if i_frames_only:
        lines.append("#EXT-X-I-FRAMES-ONLY")
    if not complete:
        lines.append(FROM_START)
    map_uri = ""
    for segment in segments:
        if segment.map_uri != map_uri:
            map_uri = segment.map_uri
            part = "" if segment.offset is None else f',BYTERANGE="{segment.map_length}@0"'
            lines.append(f'#EXT-X-MAP:URI="{map_uri}{query}"{part}')
        lines.append(f"#EXTINF:{float(segment.duration):.6f},")
        if i_frames_only:
            lines.append(f"#EXT-X-BYTERANGE:{segment.length}@0")
        elif segment.offset is not None:
            lines.append(f"#EXT-X-BYTERANGE:{segment.length}@{segment.offset}")
        lines.append(f"{segment.uri}{query}")
    if complete:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def multivariant_playlist(
    variants: Sequence[Variant],
    alternatives: Iterable[Alternative] = (),
    session_data: Mapping[str, str] | None = None,
    key_frames: Iterable[IFrameVariant] = (),
) -> str:
    """Format the multivariant playlist; players start with the first variant.

    `session_data` maps a DATA-ID to the URI of a JSON file.
    """
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for data_id, uri in (session_data or {}).items():
        lines.append(f"#EXT-X-SESSION-DATA:DATA-ID={_quoted(data_id)},URI={_quoted(uri)}")
    lines += [alternative.line() for alternative in alternatives]
    for variant in variants:
        lines += [variant.line(), variant.uri]
    lines += [variant.line() for variant in key_frames]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A quoted-string, which has neither quotes nor line breaks (RFC 8216bis, 4.2)."""
    return '"' + " ".join(text.replace('"', "'").split()) + '"'


def bit_rates(segments: Sequence[MediaSegment]) -> tuple[int, int]:
    """Peak and mean bits per second, as defined for BANDWIDTH and AVERAGE-BANDWIDTH.

    The peak is the largest of any run of segments that lasts 0.5 to 1.5 times the target duration
    (RFC 8216bis, section 4.4.6.2), so that a short last segment does not count by itself.
    """
    if not segments:
        return 0, 0
    target = math.ceil(max(segment.duration for segment in segments))
    total = sum(segment.length for segment in segments) * 8
    mean = total / sum(segment.duration for segment in segments)
    peak = max(
        (rate for n in range(len(segments)) for rate in _runs(segments, n, target)), default=0
    )
    return math.ceil(max(peak, mean)), math.ceil(mean)


def _runs(segments: Sequence[MediaSegment], first: int, target: int) -> Iterator[Fraction | float]:
    """The bit rates of the runs that begin with a segment and last about the target duration."""
    seconds: Fraction | float = 0
    bits = 0
    for number in range(first, len(segments)):
        segment = segments[number]
        seconds, bits = seconds + segment.duration, bits + segment.length * 8
        if seconds > 1.5 * target:
            return
        if seconds >= 0.5 * target:
            yield bits / seconds
