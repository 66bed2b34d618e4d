"""Re-encode an untrusted picture in a child process with resource limits.

Usage: `python -m videoflix.catalog.picture_child FILE FORMAT MAX_PIXELS LONGEST_SIDE`. Writes the
new picture to standard output in Base64. Only pixels survive: no metadata, and no data appended
to the picture. Exit codes: 3 if it is not a picture of that format, 4 if it is too large.
"""

import sys
from base64 import b64encode
from fractions import Fraction

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from videoflix.catalog.picture_exit_codes import NO_PICTURE, TOO_LARGE

DEMUXERS = {"jpeg": "jpeg_pipe", "png": "png_pipe"}
CODECS = {"jpeg": "mjpeg", "png": "png"}
PIXELS = {"jpeg": "yuvj420p", "png": "rgba"}
# Cameras store the orientation as metadata (EXIF); degrees counterclockwise.
TURNS = {90: "transpose=cclock", 180: "hflip,vflip", 270: "transpose=clock"}


class NoPicture(Exception):
    """The data is not a picture of the expected format."""


class PictureTooLarge(Exception):
    """The picture has more pixels than the limit."""


def decode(path: str, kind: str, max_pixels: int) -> VideoFrame:
    """Decode a picture and apply its orientation.

    Raises NoPicture, PictureTooLarge or FFmpegError.
    """
    policy = {"protocol_whitelist": "file"}
    with av.open(f"file:{path}", format=DEMUXERS[kind], options=policy) as container:
        if not isinstance(container, InputContainer):
            raise NoPicture
        (stream,) = container.streams.video
        if stream.codec_context.name != CODECS[kind]:
            raise NoPicture
        if stream.width * stream.height > max_pixels:
            raise PictureTooLarge
        stream.codec_context.options = {"max_pixels": str(max_pixels)}
        frame = next(iter(container.decode(stream)), None)
    if frame is None:
        raise NoPicture
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


def encode(frame: VideoFrame, kind: str, longest_side: int) -> bytes:
    """Encode in the same format, scaled down to at most `longest_side` pixels a side."""
    scale = min(1.0, longest_side / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    picture = frame.reformat(width, height, PIXELS[kind])
    picture.pts = 0
    context = av.CodecContext.create(CODECS[kind], "w")
    if not isinstance(context, VideoCodecContext):
        raise NoPicture
    context.width, context.height, context.pix_fmt = width, height, PIXELS[kind]
    context.time_base = Fraction(1, 1)
    if kind == "jpeg":
        context.options = {"qmin": "3", "qmax": "3"}  # constant quality, visually lossless
    return b"".join(bytes(packet) for packet in [*context.encode(picture), *context.encode(None)])


def main(path: str, kind: str, max_pixels: str, longest_side: str) -> int:
    try:
        data = encode(decode(path, kind, int(max_pixels)), kind, int(longest_side))
    except PictureTooLarge:
        return TOO_LARGE
    except (NoPicture, FFmpegError, ValueError):
        return NO_PICTURE
    sys.stdout.write(b64encode(data).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
