"""Audio on the film's clock, in parts that can be played while it is encoded."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from media.clips import ffmpeg, make_clip
from videoflix.media.encode_audio import PART_SEGMENTS, AudioPart, encode_audio
from videoflix.media.plan import make_plan
from videoflix.media.probe.source import probe
from videoflix.platform.process.run import ProcessFailed


@pytest.fixture
def flash_and_beep(tmp_path: Path) -> Path:
    """Black and silent, but for a white picture and a tone from second 5.0 to 5.2."""
    file = tmp_path / "flash.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "color=black:s=160x120:r=25:d=8,"
        "drawbox=c=white:t=fill:enable='between(t,4.99,5.19)'",
        "-f", "lavfi", "-i", "aevalsrc='if(between(t,5,5.2),sin(2*PI*1000*t),0)':d=8:s=48000",
        "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:a", "aac", file,
    )  # fmt: skip
    return file


async def parts_of(source: Path, folder: Path) -> list[AudioPart]:
    found: list[AudioPart] = []

    async def note(part: AudioPart) -> None:
        found.append(part)

    await encode_audio(source, make_plan(await probe(source)), folder, note)
    return found


def seconds_of(parts: list[AudioPart]) -> float:
    ticks = sum(segment.duration for part in parts for segment in part.index.segments)
    return ticks / parts[0].index.timescale


@pytest.mark.parametrize("delay", [0.0, 0.5])
async def test_sound_is_on_time(flash_and_beep: Path, delay: float, tmp_path: Path) -> None:
    source, folder = tmp_path / "source.mkv", tmp_path / "out"
    folder.mkdir()
    ffmpeg(
        "-itsoffset", str(delay), "-i", flash_and_beep, "-i", flash_and_beep,
        "-map", "1:v", "-map", "0:a", "-c", "copy", source,
    )  # fmt: skip
    assert seconds_of(await parts_of(source, folder)) == pytest.approx(8 + delay, abs=0.03)
    raw = tmp_path / "sound.raw"
    ffmpeg("-i", folder / "audio.mp4", "-ac", "1", "-f", "s16le", raw)
    samples = memoryview(raw.read_bytes()).cast("h")
    first = next(number for number, sample in enumerate(samples) if abs(sample) > 3000)
    assert first / 48_000 == pytest.approx(5 + delay, abs=0.005)


@pytest.mark.parametrize(("sound", "film"), [(1, 5), (9, 9), (5.05, 5)])
async def test_silence_follows_short_sound(sound: float, film: float, tmp_path: Path) -> None:
    source, folder = tmp_path / "source.mp4", tmp_path / "out"
    folder.mkdir()
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=160x120:d=5", "-f", "lavfi",
        "-i", f"sine=d={sound}", "-c:v", "libx264", "-preset", "ultrafast", source,
    )  # fmt: skip
    assert seconds_of(await parts_of(source, folder)) == pytest.approx(film, abs=0.07)


async def test_sound_far_beyond_the_film_is_left_out(tmp_path: Path) -> None:
    """The encoder has all that it needs while the decoder still writes."""
    source, folder = make_clip(tmp_path / "source.mp4", seconds=20), tmp_path / "out"
    folder.mkdir()
    plan = msgspec.structs.replace(make_plan(await probe(source)), frame_count=25)
    found: list[AudioPart] = []

    async def note(part: AudioPart) -> None:
        found.append(part)

    await encode_audio(source, plan, folder, note)
    assert seconds_of(found) == pytest.approx(1, abs=0.03)


async def test_silence_behind_the_decoder_is_not_published_early(tmp_path: Path) -> None:
    """It cannot be told from the sound of a decoder that was killed, until that has ended well."""
    source, folder = tmp_path / "source.mp4", tmp_path / "out"
    folder.mkdir()
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x36:r=1:d=7200", "-f", "lavfi", "-i", "sine=d=1",
        "-c:v", "libx264", "-preset", "ultrafast", source,
    )  # fmt: skip
    whole_when_published: list[bool] = []

    async def note(part: AudioPart) -> None:
        if len(whole_when_published) > 5:
            return
        size = (folder / "audio.mp4").stat().st_size
        await asyncio.sleep(0.2)
        whole_when_published.append((folder / "audio.mp4").stat().st_size == size)

    await encode_audio(source, make_plan(await probe(source)), folder, note)
    assert len(whole_when_published) > 5
    assert all(whole_when_published), "published while the encoder still wrote"


async def test_parts_joined_are_the_whole(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", seconds=90, size="64x36", rate="5")
    folder = tmp_path / "out"
    folder.mkdir()
    parts = await parts_of(source, folder)
    assert [part.number for part in parts] == [0, 1, 2]
    assert [len(part.index.segments) for part in parts] == [1, PART_SEGMENTS, 7]
    assert [part.is_last for part in parts] == [False, False, True]
    whole = (folder / "audio.mp4").read_bytes()
    header = parts[0].index.init_length
    bodies = [part.file.read_bytes() for part in parts]
    assert {body[:header] for body in bodies} == {whole[:header]}
    joined = whole[:header] + b"".join(body[header:] for body in bodies)
    assert whole.startswith(joined)


async def test_undecodable_sound_fails_without_hanging(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", seconds=2)
    plan = make_plan(await probe(source))
    folder = tmp_path / "out"
    folder.mkdir()
    source.write_bytes(b"no film")

    async def never(_: AudioPart) -> None:
        raise AssertionError

    with pytest.raises(ProcessFailed):
        await encode_audio(source, plan, folder, never)
