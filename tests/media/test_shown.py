"""The picture's size and direction as the container describes them."""

import struct
from pathlib import Path

import av
import pytest

from media.clips import ffmpeg
from media.numbered import film_of, numbered
from videoflix.media.probe.source import probe


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return numbered(tmp_path / "plain.mp4", 1)


def cropped(source: Path, file: Path) -> Path:
    """Add a clean aperture (clap) that crops 24 pixels above and below."""
    data = source.read_bytes()
    moov = data.index(b"moov") - 4
    entry = data.index(b"avc1", moov) - 4
    end = entry + struct.unpack_from(">I", data, entry)[0]
    clap = struct.pack(">I4s8I", 40, b"clap", 320, 1, 132, 1, 0, 1, 0, 1)
    out = bytearray(data[:end] + clap + data[end:])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        at = out.index(name, moov) - 4
        struct.pack_into(">I", out, at, struct.unpack_from(">I", out, at)[0] + 40)
    file.write_bytes(out)
    return file


async def test_cropping_of_the_container_is_obeyed(plain: Path, tmp_path: Path) -> None:
    source = await probe(cropped(plain, tmp_path / "a.mp4"))
    assert (source.width, source.height) == (320, 132)


@pytest.mark.parametrize(
    ("angle", "size"),
    [(90, (180, 320)), (180, (320, 180)), (-80, (180, 320)), (45, (320, 180)), (10, (320, 180))],
)
async def test_pictures_are_turned_by_the_nearest_quarter(
    angle: int, size: tuple[int, int], plain: Path, tmp_path: Path
) -> None:
    source = tmp_path / "a.mp4"
    ffmpeg("-display_rotation:v:0", str(angle), "-i", plain, "-c", "copy", source)
    film = await film_of(source, tmp_path / "out")
    top = film.plan.rungs[0]
    assert (top.width, top.height) == size
    with av.open(str(tmp_path / "out" / "picture.mp4")) as container:
        assert next(container.decode(video=0)).rotation == 0, "players would turn it again"
