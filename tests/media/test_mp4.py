"""Plain files of a film: an MP4 with every picture and the sound, and a storyboard."""

import re
import subprocess
from pathlib import Path

import av
import pytest

from media.clips import ffmpeg, make_clip
from media.numbered import no_part
from media.test_encode import difference, encoded, joined, picture_times, size_of
from videoflix.media.encode_audio import encode_audio
from videoflix.media.ffmpeg import find_ffmpeg
from videoflix.media.fmp4 import InvalidOutput
from videoflix.media.ladder import Rung
from videoflix.media.mp4 import package
from videoflix.media.plan import EncodePlan, make_plan
from videoflix.media.probe.source import probe
from videoflix.media.storyboard import Layout, layout_of, make_sprite, storyboard_vtt


async def packaged(source: Path, folder: Path) -> tuple[Path, EncodePlan]:
    plan, _ = await encoded(source, folder)
    sound = None
    if plan.has_audio:
        await encode_audio(source, plan, folder, no_part)
        sound = folder / "audio.mp4"
    picture = joined(folder, plan, plan.rungs[0].name)
    return await package(picture, sound, plan, folder), plan


@pytest.mark.parametrize("rate", ["25", "30000/1001"])
async def test_every_picture_is_there_and_on_time(rate: str, tmp_path: Path) -> None:
    video = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "3")
    source = make_clip(tmp_path / "source.mp4", seconds=10, rate=rate, video=video)
    file, plan = await packaged(source, tmp_path)
    assert picture_times(file) == [n * plan.frame_ticks for n in range(plan.frame_count)]
    assert difference(file, source) > 25
    head = file.read_bytes()[:64]
    assert head.find(b"moov") > 0, "a player has to see the index first"


def described(file: Path) -> str:
    return subprocess.run([find_ffmpeg(), "-i", file], capture_output=True, text=True).stderr


async def test_silent_film(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", seconds=3, sound=False)
    file, _ = await packaged(source, tmp_path)
    assert "h264" in described(file)
    assert "Audio" not in described(file)


async def test_sound_stays_on_time(tmp_path: Path) -> None:
    source = tmp_path / "source.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "color=black:s=160x120:r=25:d=8",
        "-f", "lavfi", "-i", "aevalsrc='if(between(t,5,5.2),sin(2*PI*1000*t),0)':d=8:s=48000",
        "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:a", "aac", source,
    )  # fmt: skip
    file, _ = await packaged(source, tmp_path)
    raw = tmp_path / "sound.raw"
    ffmpeg("-i", file, "-ac", "1", "-f", "s16le", raw)
    samples = memoryview(raw.read_bytes()).cast("h")
    first = next(number for number, sample in enumerate(samples) if abs(sample) > 3000)
    assert first / 48_000 == pytest.approx(5, abs=0.005)


async def test_what_lacks_pictures_is_refused(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", seconds=10, sound=False)
    plan, _ = await encoded(source, tmp_path)
    first_chunk = tmp_path / "0" / f"{plan.rungs[0].name}.mp4"
    with pytest.raises(InvalidOutput):
        await package(first_chunk, None, plan, tmp_path)


async def test_storyboard_shows_what_is_on_at_each_time(tmp_path: Path) -> None:
    """Each second of the clip has a grey of its own."""
    source = tmp_path / "source.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "color=black:s=320x180:r=10:d=9",
        "-vf", "geq=lum='16+floor(T)*24':cb=128:cr=128",
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", source,
    )  # fmt: skip
    layout = layout_of(make_plan(await probe(source)))
    assert (layout.seconds, layout.count, layout.columns) == (1, 9, 3)
    sprite = await make_sprite(source, layout, tmp_path)
    assert size_of(sprite) == "960x540"
    with av.open(str(sprite)) as container:
        tiles = next(container.decode(video=0))
    line = tiles.planes[0].line_size
    light = memoryview(tiles.planes[0])
    greys = [light[(90 + 180 * row) * line + 160 + 320 * n] for row in range(3) for n in range(3)]
    assert greys == pytest.approx([28 * second for second in range(9)], abs=4), "full range"


def cues(text: str) -> list[tuple[str, str, str]]:
    return re.findall(r"^(\S+) --> (\S+)\n(\S+)$", text, re.M)


def test_storyboard_counts_past_the_minute_and_the_hour() -> None:
    layout = Layout(seconds=60, count=62, columns=8, width=320, height=180, duration=3690.5)
    found = cues(storyboard_vtt(layout, "a.jpg?token=x"))
    assert found[0] == ("00:00.000", "01:00.000", "a.jpg?token=x#xywh=0,0,320,180")
    assert found[1][:2] == ("01:00.000", "02:00.000")
    assert found[9][2].endswith("#xywh=320,180,320,180")
    assert found[61][:2] == ("01:01:00.000", "01:01:30.500")


@pytest.mark.parametrize(
    ("seconds", "interval"), [(0.04, 1), (59, 1), (101, 2), (3600, 60), (6 * 3600, 300)]
)
def test_sheet_stays_small(seconds: float, interval: int) -> None:
    frames = max(1, round(seconds * 25))
    rungs = (Rung("360p", 640, 360, 1),)
    plan = EncodePlan(25, 1, frames, 100, rungs, (), False, "0", False, "", "bt709")
    layout = layout_of(plan)
    assert (layout.seconds, layout.width, layout.height) == (interval, 320, 180)
    assert 1 <= layout.count <= 100
