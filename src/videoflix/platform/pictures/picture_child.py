"""Re-encode an untrusted picture in a child process with resource limits.

Usage: `python -m videoflix.platform.pictures.picture_child FILE FORMAT MAX_PIXELS TARGET...`, a
target being the format and the largest size of a new picture: `webp:320x480`. Writes the new
pictures to standard output as JSON. Only pixels survive: no metadata, and no data appended to the
picture. Exit codes: 3 if it is not a picture of that format, 4 if it is too large.
"""

import sys
from fractions import Fraction

import av
import msgspec
from av.container import InputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from videoflix.platform.pictures.exit_codes import NO_PICTURE, TOO_LARGE

DEMUXERS = {"jpeg": "jpeg_pipe", "png": "png_pipe", "webp": "webp_pipe", "avif": "mov"}
DECODERS = {"jpeg": {"mjpeg"}, "png": {"png"}, "webp": {"webp"}, "avif": {"libdav1d", "av1"}}
# Encoder, pixel format and range. JPEG is of full range (JFIF), WebP of limited range.
ENCODERS = {
    "jpeg": ("mjpeg", "yuvj420p", ColorRange.JPEG),
    "png": ("png", "rgba", ColorRange.JPEG),
    "webp": ("libwebp", "yuv420p", ColorRange.MPEG),
}
OPTIONS = {
    "jpeg": {"qmin": "3", "qmax": "3"},  # constant quality, visually lossless
    "webp": {"quality": "80", "preset": "picture"},
}
# Cameras store the orientation as metadata (EXIF); degrees counterclockwise.
TURNS = {90: "transpose=cclock", 180: "hflip,vflip", 270: "transpose=clock"}


class NoPicture(Exception):
    """The data is not a picture of the expected format."""


class PictureTooLarge(Exception):
    """The picture has more pixels than the limit."""


class Target(msgspec.Struct, frozen=True):
    """A picture to make: its format, and its size at most."""

    kind: str
    width: int
    height: int


class Picture(msgspec.Struct, frozen=True):
    """An encoded picture; in JSON, `data` is in Base64."""

    width: int
    height: int
    data: bytes


def decode(path: str, kind: str, max_pixels: int) -> VideoFrame:
    """Decode a picture and apply its orientation; of an animation, its first picture.

    Raises NoPicture, PictureTooLarge or FFmpegError.
    """
    policy = {"protocol_whitelist": "file"}
    with av.open(f"file:{path}", format=DEMUXERS[kind], options=policy) as container:
        if not isinstance(container, InputContainer):
            raise NoPicture
        stream = next(iter(container.streams.video), None)
        if stream is None or stream.codec_context.name not in DECODERS[kind]:
            raise NoPicture
        if stream.disposition & Disposition.dependent:
            raise NoPicture  # one tile of many; the others would be missing
        if stream.width * stream.height > max_pixels:
            raise PictureTooLarge
        # Headers inside of the picture may state another size than the container.
        stream.codec_context.options = {"max_pixels": str(max_pixels)}
        frame = next(iter(container.decode(stream)), None)
    if frame is None:
        raise NoPicture
    if frame.width * frame.height > max_pixels:
        raise PictureTooLarge
    return apply_orientation(frame)


def apply_orientation(frame: VideoFrame) -> VideoFrame:
    steps = TURNS.get(round(frame.rotation) % 360)
    if steps is None:
        return frame
    graph = Graph()
    nodes = [
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1)
        )
    ]
    for step in steps.split(","):
        nodes.append(graph.add(*step.split("=")))
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    graph.push(frame)
    found = graph.pull()
    if not isinstance(found, VideoFrame):
        raise NoPicture
    return found


def encode(frame: VideoFrame, target: Target) -> Picture:
    """Encode, scaled down to at most the target's size."""
    scale = min(1.0, target.width / frame.width, target.height / frame.height)
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    encoder, pixels, color_range = ENCODERS[target.kind]
    picture = frame.reformat(
        width,
        height,
        pixels,
        dst_colorspace=Colorspace.ITU601,  # the matrix of JPEG and WebP
        dst_color_range=color_range,
        interpolation=Interpolation.LANCZOS,
    )
    picture.pts = 0
    context = av.CodecContext.create(encoder, "w")
    if not isinstance(context, VideoCodecContext):
        raise NoPicture
    context.width, context.height, context.pix_fmt = width, height, pixels
    context.time_base = Fraction(1, 1)
    context.options = OPTIONS.get(target.kind, {})
    packets = [*context.encode(picture), *context.encode(None)]
    return Picture(width, height, b"".join(bytes(packet) for packet in packets))


def target_of(text: str) -> Target:
    kind, _, size = text.partition(":")
    width, _, height = size.partition("x")
    return Target(kind, int(width), int(height))


def main(path: str, kind: str, max_pixels: str, *targets: str) -> int:
    try:
        frame = decode(path, kind, int(max_pixels))
        pictures = [encode(frame, target_of(target)) for target in targets]
    except PictureTooLarge:
        return TOO_LARGE
    except (NoPicture, FFmpegError, ValueError):
        return NO_PICTURE
    sys.stdout.buffer.write(msgspec.json.encode(pictures))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
