"""Which of a file's tracks are the film."""

from pathlib import Path

import pytest

from media.clips import ffmpeg
from media.numbered import film_of, numbered
from videoflix.media.probe.source import probe


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return numbered(tmp_path / "plain.mp4", 3)


async def test_thumbnail_before_the_film_is_not_the_film(plain: Path, tmp_path: Path) -> None:
    thumbnail, source = tmp_path / "a.jpg", tmp_path / "a.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=640x360", "-frames:v", "1", thumbnail)
    tracks = ("-map", "0:v", "-map", "1:v", "-map", "1:a")
    ffmpeg("-i", thumbnail, "-i", plain, *tracks, "-c", "copy", "-disposition:v:0", "0", source)
    film = await film_of(source, tmp_path / "out")
    assert film.plan.video_index == 1
    assert film.numbers == list(range(75))


async def test_largest_of_two_moving_pictures_is_the_film(plain: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    ffmpeg(
        "-i", plain, "-filter_complex", "[0:v]scale=160:90,negate[small]",
        "-map", "[small]", "-map", "0:v", "-map", "0:a",
        "-disposition:v:0", "0", "-disposition:v:1", "0", source,
    )  # fmt: skip
    assert (await probe(source)).width == 320


async def test_default_flag_counts_more_than_size(plain: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    ffmpeg(
        "-i", plain, "-filter_complex", "[0:v]scale=640:360[large]", "-map", "[large]",
        "-map", "0:v", "-disposition:v:0", "0", "-disposition:v:1", "default", source,
    )  # fmt: skip
    assert (await probe(source)).width == 320


async def test_cover_beside_the_film_is_never_the_film(plain: Path, tmp_path: Path) -> None:
    cover, source = tmp_path / "a.png", tmp_path / "a.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=640x360", "-frames:v", "1", cover)
    tracks = ("-map", "0:v", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic")
    ffmpeg("-i", cover, "-i", plain, *tracks, source)
    assert (await probe(source)).video_codec == "h264"


async def test_default_sound_comes_before_commentary(plain: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    ffmpeg(
        "-i", plain, "-f", "lavfi", "-i", "sine=f=400:d=3",
        "-map", "0:v", "-map", "1:a", "-map", "1:a", "-map", "0:a", "-c:v", "copy", "-c:a", "aac",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:0", "title=Commentary",
        "-disposition:a:0", "comment", "-disposition:a:1", "visual_impaired",
        "-metadata:s:a:2", "language=deu", "-disposition:a:2", "default", source,
    )  # fmt: skip
    first, commentary, described = (await probe(source)).audio
    assert (first.index, first.language, first.channels) == (3, "de", 2)
    assert (commentary.title, commentary.is_commentary) == ("Commentary", True)
    assert described.is_described
    film = await film_of(source, tmp_path / "out")
    assert film.beeps == pytest.approx([0.4, 1.4, 2.4], abs=0.02)


async def test_unreadable_sound_is_passed_over(plain: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    tracks = ("-map", "0:v", "-map", "0:a", "-map", "0:a")
    ffmpeg("-i", plain, *tracks, "-c", "copy", source)
    data = bytearray(source.read_bytes())
    entry = data.index(b"mp4a", data.index(b"moov"))
    data[entry : entry + 4] = b"apac"  # a codec that FFmpeg does not know
    esds = data.index(b"esds", entry)
    data[esds : esds + 4] = b"free"
    source.write_bytes(data)
    assert [track.index for track in (await probe(source)).audio] == [2]
    film = await film_of(source, tmp_path / "out")
    assert film.beeps == pytest.approx([0.4, 1.4, 2.4], abs=0.02)
