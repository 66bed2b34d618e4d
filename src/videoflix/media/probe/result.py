"""What the inspector tells about a file, as it travels from its process to ours."""

from fractions import Fraction

import msgspec

# What files may be, by the names of FFmpeg's demuxers. Playlists and scripts that name other
# files are not among them, nor anything that is fetched.
DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mp3,wav,flac,aac"


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A film as its container and its first pictures describe it.

    `width` and `height` are those of the coded picture, `rotation` counts degrees,
    `transfer` and `matrix` are code points of ITU-T H.273. Times are in seconds: the track
    begins at `begin`, the first picture that can be decoded is shown at `origin`, the last one
    from `last` to `end`. What the container declares is 0 where it declares nothing.
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
    # Seconds all tracks hold together, and what the container declares for them and the picture.
    seconds_of_all: float
    declared_of_all: float
    declared: float
    # Pictures a second: as declared, and in the film's busier seconds.
    declared_rate: Fraction
    p90_frame_rate: float
    # Where decoding can begin: the time from which all is shown, and the one to seek to for it.
    seek_points: tuple[tuple[float, float], ...]


class ProbeRejection(msgspec.Struct, frozen=True, tag=True):
    """Why a file is refused; see Rejected."""

    code: str
    reason: str


def encode_result(answer: ProbeResult | ProbeRejection) -> bytes:
    return msgspec.json.encode(answer, enc_hook=str)


def decode_result(data: str) -> ProbeResult | ProbeRejection:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(
        data, type=ProbeResult | ProbeRejection, dec_hook=lambda kind, text: kind(text)
    )
