"""The result of probing, as JSON between the child process and the worker."""

from fractions import Fraction

import msgspec

# Accepted formats, by the names of FFmpeg's demuxers. Playlists and scripts that reference other
# files are excluded, and so is everything that uses the network.
DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mp3,wav,flac,aac"


class AudioTrack(msgspec.Struct, frozen=True, kw_only=True):
    """A decodable audio track; `begin` and `end` are in seconds of the source's timestamps.

    `index` is the stream's in the container. `language` is a BCP 47 tag or empty;
    `is_described`: for viewers who do not see the picture.
    """

    index: int
    begin: Fraction
    end: Fraction
    language: str = ""
    title: str = ""
    channels: int = 2
    is_described: bool = False
    is_commentary: bool = False

    @property
    def label(self) -> str:
        """What viewers choose it by, or empty: its title, or what it is."""
        if self.title:
            return self.title
        if self.is_commentary:
            return "Commentary"
        return "Audio description" if self.is_described else ""


class SubtitleTrack(msgspec.Struct, frozen=True):
    """A subtitle track of text: the stream's index, a BCP 47 tag or "und", and a label."""

    index: int
    language: str
    label: str


class ChapterMark(msgspec.Struct, frozen=True):
    """A chapter as the container states it, in seconds of the source's timestamps."""

    title: str
    start: float
    end: float


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A source as described by its container and its first frames.

    `video_index` is the index of the film's picture among the streams; `audio` are the decodable
    audio tracks, the default first, `subtitles` one of each language. `width` and `height` are
    those of the coded frame, `rotation` is in degrees, `transfer` and `matrix` are code points of
    ITU-T H.273. Times are in seconds: the picture starts at `begin`, the first decodable frame is
    shown at `origin`, the last one from `last` to `end`. `declared*` are 0 if the container
    declares nothing.
    """

    container: str
    video_index: int
    video_codec: str
    width: int
    height: int
    sample_aspect: Fraction
    rotation: int
    interlaced: bool
    is_rgb: bool
    transfer: int
    matrix: int
    audio: tuple[AudioTrack, ...]
    subtitles: tuple[SubtitleTrack, ...]
    begin: Fraction
    origin: Fraction
    last: Fraction
    end: Fraction
    # Duration of all tracks together as measured and as declared, and of the video as declared.
    seconds_of_all: float
    declared_of_all: float
    declared: float
    # The grid of constant frame rate; it begins this share of a frame before `origin`.
    frame_rate: Fraction
    grid_shift: Fraction
    # Decode times that go back, or pause in all tracks: recordings that were joined.
    clock_restarts: bool
    clock_jumps: bool
    # At the end of the file, by the sizes in its container.
    missing_bytes: int
    # (time from which all frames can be shown, seek target), in seconds.
    seek_points: tuple[tuple[float, float], ...]
    chapters: tuple[ChapterMark, ...] = ()


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
