"""The result of probing, as JSON between the child process and the worker."""

from fractions import Fraction

import msgspec

# Accepted formats, by the names of FFmpeg's demuxers. Playlists and scripts that reference other
# files are excluded, and so is everything that uses the network.
DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mp3,wav,flac,aac"


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A source as described by its container and its first frames.

    `width` and `height` are those of the coded frame, `rotation` is in degrees, `transfer` and
    `matrix` are code points of ITU-T H.273. Times are in seconds: the track starts at `begin`, the
    first decodable frame is shown at `origin`, the last one from `last` to `end`. `declared*` are
    0 if the container declares nothing.
    """

    container: str
    video_codec: str
    width: int
    height: int
    sample_aspect: Fraction
    rotation: int
    interlaced: bool
    is_rgb: bool
    transfer: int
    matrix: int
    has_audio: bool
    frame_count: int
    begin: Fraction
    origin: Fraction
    last: Fraction
    end: Fraction
    # Duration of all tracks together as measured and as declared, and of the video as declared.
    seconds_of_all: float
    declared_of_all: float
    declared: float
    # Frames per second: as declared, and the 90th percentile as measured.
    declared_rate: Fraction
    p90_frame_rate: float
    # (time from which all frames can be shown, seek target), in seconds.
    seek_points: tuple[tuple[float, float], ...]


class ProbeRejection(msgspec.Struct, frozen=True, tag=True):
    """Why a file is rejected; see SourceRejected."""

    code: str
    reason: str


def encode_result(answer: ProbeResult | ProbeRejection) -> bytes:
    return msgspec.json.encode(answer, enc_hook=str)


def decode_result(data: str) -> ProbeResult | ProbeRejection:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(
        data, type=ProbeResult | ProbeRejection, dec_hook=lambda kind, text: kind(text)
    )
