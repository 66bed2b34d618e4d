"""Format HLS playlists (RFC 8216bis, protocol version 7)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import msgspec

# Players would begin near the end of a playlist that grows.
FROM_START = "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES"
VERSION = 7  # EXT-X-MAP in media playlists, fragmented MP4


class MediaSegment(msgspec.Struct, frozen=True):
    """A segment in a media playlist; `map_uri` is its initialisation section, empty for subtitles.

    `duration` is in seconds, `length` in bytes.
    """

    uri: str
    map_uri: str
    duration: Fraction | float
    length: int


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
    """A video rendition in the multivariant playlist, with the audio of one group.

    `bandwidth` (peak) and `average_bandwidth` are in bits per second, including audio.
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
        return (
            f"#EXT-X-STREAM-INF:BANDWIDTH={self.bandwidth},"
            f"AVERAGE-BANDWIDTH={self.average_bandwidth},"
            f'CODECS="{self.codecs}",'
            f"RESOLUTION={self.width}x{self.height},"
            f"FRAME-RATE={self.frame_rate:.3f}{named}"
        )


def media_playlist(
    segments: Iterable[MediaSegment], *, target: float, complete: bool, query: str = ""
) -> str:
    """Format a media playlist: type EVENT while it grows, VOD once complete.

    `target` is the longest segment to come, in seconds: it must not change while the
    playlist grows. `query` is appended to every URI.
    """
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{math.ceil(target)}",
        f"#EXT-X-PLAYLIST-TYPE:{'VOD' if complete else 'EVENT'}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    if not complete:
        lines.append(FROM_START)
    map_uri = ""
    for segment in segments:
        if segment.map_uri != map_uri:
            map_uri = segment.map_uri
            lines.append(f'#EXT-X-MAP:URI="{map_uri}{query}"')
        lines += [f"#EXTINF:{float(segment.duration):.6f},", f"{segment.uri}{query}"]
    if complete:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def multivariant_playlist(
    variants: Sequence[Variant],
    alternatives: Iterable[Alternative] = (),
    session_data: Mapping[str, str] | None = None,
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
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A quoted-string, which has neither quotes nor line breaks (RFC 8216bis, 4.2)."""
    return '"' + " ".join(text.replace('"', "'").split()) + '"'


def bit_rates(segments: Sequence[MediaSegment]) -> tuple[int, int]:
    """Peak and mean bits per second, as defined for BANDWIDTH and AVERAGE-BANDWIDTH."""
    if not segments:
        return 0, 0
    peak = max(segment.length * 8 / segment.duration for segment in segments)
    total = sum(segment.length for segment in segments) * 8
    mean = total / sum(segment.duration for segment in segments)
    return math.ceil(peak), math.ceil(mean)
