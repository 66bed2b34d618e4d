"""Format HLS playlists (RFC 8216bis, protocol version 7)."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import msgspec

# Players would begin near the end of a playlist that grows.
FROM_START = "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES"
VERSION = 7  # EXT-X-MAP in media playlists, fragmented MP4


class MediaSegment(msgspec.Struct, frozen=True):
    """A segment in a media playlist; `map_uri` is its initialisation section.

    `duration` is in seconds, `length` in bytes.
    """

    uri: str
    map_uri: str
    duration: Fraction | float
    length: int


class Variant(msgspec.Struct, frozen=True):
    """A video rendition in the multivariant playlist.

    `bandwidth` (peak) and `average_bandwidth` are in bits per second, including audio.
    """

    uri: str
    width: int
    height: int
    frame_rate: float
    codecs: str
    bandwidth: int
    average_bandwidth: int


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


def multivariant_playlist(variants: Sequence[Variant], *, audio_uri: str | None) -> str:
    """Format the multivariant playlist; players start with the first variant."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    group = ""
    if audio_uri:
        group = ',AUDIO="audio"'
        lines.append(
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Main",DEFAULT=YES,AUTOSELECT=YES,'
            f'CHANNELS="2",URI="{audio_uri}"'
        )
    for variant in variants:
        lines += [
            f"#EXT-X-STREAM-INF:BANDWIDTH={variant.bandwidth},"
            f"AVERAGE-BANDWIDTH={variant.average_bandwidth},"
            f'CODECS="{variant.codecs}",'
            f"RESOLUTION={variant.width}x{variant.height},"
            f"FRAME-RATE={variant.frame_rate:.3f}{group}",
            variant.uri,
        ]
    return "\n".join(lines) + "\n"


def bit_rates(segments: Sequence[MediaSegment]) -> tuple[int, int]:
    """Peak and mean bits per second, as defined for BANDWIDTH and AVERAGE-BANDWIDTH."""
    if not segments:
        return 0, 0
    peak = max(segment.length * 8 / segment.duration for segment in segments)
    total = sum(segment.length for segment in segments) * 8
    mean = total / sum(segment.duration for segment in segments)
    return math.ceil(peak), math.ceil(mean)
