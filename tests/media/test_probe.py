"""What strangers send: recognised, or refused with a code and a sentence."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from media.clips import ffmpeg, make_clip
from videoflix.media.probe.rejection import SourceRejected
from videoflix.media.probe.source import probe

Maker = Callable[[Path], None]


def text(file: Path) -> None:
    file.write_text("This is no film.\n" * 100)


def empty(file: Path) -> None:
    file.touch()


def noise(file: Path) -> None:
    file.write_bytes(bytes((number * 7919) % 251 for number in range(100_000)))


def picture(file: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:d=1", "-frames:v", "1", "-f", "image2", file)


def sound_only(file: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=d=2", file)


def sound_with_cover(file: Path) -> None:
    cover = file.with_suffix(".png")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1", cover)
    ffmpeg(
        "-f", "lavfi", "-i", "sine=d=2", "-i", cover, "-map", "0", "-map", "1", "-c:v", "copy",
        "-disposition:v", "attached_pic", file,
    )  # fmt: skip


def cut(file: Path, options: tuple[str, ...]) -> None:
    make_clip(file, seconds=10, video=("-c:v", "libx264", "-preset", "ultrafast", *options))
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def cut_before_its_index(file: Path) -> None:
    cut(file, ())


def cut_behind_its_index(file: Path) -> None:
    cut(file, ("-movflags", "+faststart"))


def playlist(file: Path) -> None:
    neighbour = make_clip(file.with_name("neighbour.ts"))
    file.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{neighbour}\n#EXT-X-ENDLIST\n"
    )


def concat_script(file: Path) -> None:
    neighbour = make_clip(file.with_name("neighbour.mp4"))
    file.write_text(f"ffconcat version 1.0\nfile {neighbour.name}\n")


def huge_picture(file: Path) -> None:
    black = "color=s=16000x16000:d=1:r=1,format=monob"
    ffmpeg("-f", "lavfi", "-i", black, "-c:v", "png", "-f", "matroska", file)


def too_long(file: Path) -> None:
    clip = make_clip(file.with_name("a.mp4"), seconds=1, sound=False)
    ffmpeg("-i", clip, "-c", "copy", "-bsf:v", "setts=ts=TS*30000", "-f", "mov", file)


REFUSED: dict[Maker, str] = {
    text: "not-a-video",
    empty: "not-a-video",
    noise: "not-a-video",
    picture: "not-a-video",
    sound_only: "no-picture",
    sound_with_cover: "no-picture",
    cut_before_its_index: "not-a-video",
    cut_behind_its_index: "truncated",
    playlist: "not-a-video",
    concat_script: "not-a-video",
    huge_picture: "picture-too-large",
    too_long: "film-too-long",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
async def test_hopeless_files_are_refused_with_a_reason(make: Maker, tmp_path: Path) -> None:
    file = tmp_path / "film.mp4"
    make(file)
    with pytest.raises(SourceRejected) as refusal:
        await probe(file)
    assert refusal.value.code == REFUSED[make]
    assert refusal.value.reason.endswith(".")
    assert str(tmp_path) not in refusal.value.reason


async def test_facts_of_a_usual_film(tmp_path: Path) -> None:
    source = await probe(make_clip(tmp_path / "film.mp4", seconds=2, rate="30000/1001"))
    assert (source.width, source.height) == (320, 180)
    assert (source.frame_rate_num, source.frame_rate_den) == (30000, 1001)
    assert source.frame_count == 60
    assert len(source.audio) == 1
    assert not source.hdr


async def test_time_stamps_that_do_not_begin_at_zero(tmp_path: Path) -> None:
    source = await probe(make_clip(tmp_path / "film.ts", seconds=2))
    assert Fraction(source.origin) > 1
    assert source.frame_count == 50


async def test_faster_than_sixty_pictures_a_second_is_capped(tmp_path: Path) -> None:
    source = await probe(make_clip(tmp_path / "film.mp4", seconds=1, rate="120"))
    assert (source.frame_rate_num, source.frame_rate_den) == (60, 1)
    assert source.frame_count == 60


async def test_hdr_and_interlacing_are_noticed(tmp_path: Path) -> None:
    hdr = ("-vf", "setparams=color_trc=smpte2084", "-c:v", "libx264")
    assert (await probe(make_clip(tmp_path / "hdr.mp4", seconds=1, video=hdr))).hdr
    fields = "tinterlace=interleave_top,fieldorder=tff"
    laced = ("-vf", fields, "-c:v", "mpeg2video", "-flags", "+ilme+ildct")
    assert (await probe(make_clip(tmp_path / "laced.ts", seconds=2, video=laced))).interlaced
