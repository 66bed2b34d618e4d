"""Recordings as people make them: every picture once, in order, and sound on time."""

from itertools import groupby
from pathlib import Path

import pytest

from media.clips import ffmpeg
from media.numbered import X264, Film, film_of, joined, numbered
from videoflix.media.probe.rejection import SourceRejected

HALF_FRAME = 0.02
TS = ("-g", "25", "-c:a", "aac", "-f", "mpegts")


def assert_in_order(film: Film, numbers: list[int]) -> None:
    """Assert that exactly these pictures are shown, at 25 per second from 0."""
    assert film.numbers == numbers
    assert film.times == pytest.approx([n / 25 for n in range(len(numbers))], abs=0.001)


def assert_beeps(film: Film, seconds: int) -> None:
    """Assert that each second has its beep."""
    expected = [second + 0.4 for second in range(seconds)]
    assert film.beeps == pytest.approx(expected, abs=HALF_FRAME)


@pytest.mark.parametrize("options", [(), ("-bf", "3", "-g", "250")], ids=["plain", "reordered"])
async def test_pictures_and_sound_are_where_they_were(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    source = numbered(tmp_path / "a.mp4", 6, video=(*X264, *options))
    film = await film_of(source, tmp_path / "out")
    assert_in_order(film, list(range(150)))
    assert_beeps(film, 6)


@pytest.mark.parametrize("offset", ["0", "3600"], ids=["restarts", "jumps"])
async def test_joined_recordings_get_one_clock(offset: str, tmp_path: Path) -> None:
    first = numbered(tmp_path / "1.ts", 5, *TS)
    second = numbered(tmp_path / "2.ts", 5, *TS, "-output_ts_offset", offset, first=125)
    film = await film_of(joined(tmp_path / "a.ts", first, second), tmp_path / "out")
    assert film.plan.remux is not None
    assert_in_order(film, list(range(250)))
    assert_beeps(film, 10)


async def test_joined_recordings_that_cannot_be_remuxed_are_refused(tmp_path: Path) -> None:
    first = numbered(tmp_path / "1.mkv", 3, sound=False)
    second = numbered(tmp_path / "2.mkv", 3, sound=False)
    source = joined(tmp_path / "a.mkv", first, second)
    with pytest.raises(SourceRejected) as refusal:
        await film_of(source, tmp_path / "out")
    assert refusal.value.code == "clock-restarts"


@pytest.mark.parametrize("size", ["160:90", "640:360"])
async def test_size_may_change_midway(size: str, tmp_path: Path) -> None:
    first = numbered(tmp_path / "1.ts", 5, *TS)
    second = numbered(
        tmp_path / "2.ts", 5, *TS, "-output_ts_offset", "5", first=125, filters=f"scale={size}"
    )
    film = await film_of(joined(tmp_path / "a.ts", first, second), tmp_path / "out")
    assert_in_order(film, list(range(250)))
    assert film.plan.rungs[0].height == 180


async def test_channels_may_change_midway(tmp_path: Path) -> None:
    surround = "pan=5.1|FL=FL|FR=FR|FC=0*FL|LFE=0*FL|BL=0*FL|BR=0*FL"
    stereo = ("-g", "25", "-c:a", "ac3", "-b:a", "192k", "-f", "mpegts")
    first = numbered(tmp_path / "1.ts", 3, *stereo)
    second = numbered(
        tmp_path / "2.ts", 3, "-af", surround, *stereo, "-output_ts_offset", "3", first=75
    )
    film = await film_of(joined(tmp_path / "a.ts", first, second), tmp_path / "out")
    assert_beeps(film, 6)


async def test_interlacing_may_begin_midway(tmp_path: Path) -> None:
    laced = (*X264, "-x264opts", "tff=1")
    first = numbered(tmp_path / "1.ts", 2, *TS)
    second = numbered(
        tmp_path / "2.ts", 4, *TS, "-output_ts_offset", "2",
        first=50, video=laced, filters="setfield=tff",
    )  # fmt: skip
    film = await film_of(joined(tmp_path / "a.ts", first, second), tmp_path / "out")
    assert_in_order(film, list(range(150)))
    assert film.plan.interlaced


async def test_last_picture_stands_while_the_sound_goes_on(tmp_path: Path) -> None:
    source = numbered(tmp_path / "a.mp4", 12, picture_seconds=3)
    film = await film_of(source, tmp_path / "out")
    assert [number for number, _ in groupby(film.numbers)] == list(range(75))
    assert film.plan.duration == pytest.approx(12, abs=0.05)
    assert_beeps(film, 12)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
async def test_one_picture_with_sound_is_a_film(suffix: str, tmp_path: Path) -> None:
    source = numbered(tmp_path / f"a.{suffix}", 6, picture_seconds=0.04)
    film = await film_of(source, tmp_path / "out")
    assert film.numbers == [0] * 150
    assert_beeps(film, 6)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
async def test_first_picture_stands_while_only_sound_is_there(suffix: str, tmp_path: Path) -> None:
    plain = numbered(tmp_path / "plain.mp4", 6)
    source = tmp_path / f"a.{suffix}"
    late = ("-itsoffset", "1.5", "-i", plain, "-i", plain, "-map", "0:v", "-map", "1:a")
    ffmpeg(*late, "-c", "copy", source)
    film = await film_of(source, tmp_path / "out")
    assert [number for number, _ in groupby(film.numbers)] == list(range(150))
    shown = {number: time for time, number in reversed(film.shown)}
    starts = [shown[35] - film.beeps[1], shown[110] - film.beeps[4]]
    assert starts == pytest.approx([1.5, 1.5], abs=HALF_FRAME)


async def test_subtitles_do_not_make_a_film_longer(tmp_path: Path) -> None:
    plain = numbered(tmp_path / "plain.mp4", 3)
    advertisement = tmp_path / "a.srt"
    advertisement.write_text("1\n10:00:00,000 --> 10:00:02,000\nwww.subtitles.example\n")
    source = tmp_path / "a.mkv"
    ffmpeg("-i", plain, "-i", advertisement, "-map", "0", "-map", "1", "-c", "copy", source)
    film = await film_of(source, tmp_path / "out")
    assert film.plan.duration == 3


async def test_still_recordings_of_a_screen_have_no_jumps(tmp_path: Path) -> None:
    """The picture pauses for longer than joined recordings do, but the sound goes on."""
    source = numbered(
        tmp_path / "a.ts", 20, "-fps_mode", "vfr", "-c:a", "aac", "-f", "mpegts",
        filters="select='lt(n,25)+gt(n,450)'",
    )  # fmt: skip
    film = await film_of(source, tmp_path / "out")
    assert film.plan.remux is None
    assert film.plan.duration == pytest.approx(20, abs=0.1)
    assert_beeps(film, 20)
