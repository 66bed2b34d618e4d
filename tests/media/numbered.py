"""Recordings whose pictures carry their number, with a beep in each second at 0.4.

The left half of a picture is as bright as the number modulo 16, the right half as the number
divided by 16, in steps of 13; so up to 256 pictures can be told apart after any encoding.
"""

from pathlib import Path

import av

from media.clips import ffmpeg
from videoflix.media.encode import encode_chunk
from videoflix.media.encode_audio import AudioPart, encode_audio
from videoflix.media.jobs.encode import planned
from videoflix.media.plan import EncodePlan
from videoflix.media.remux import remux

RATE = 25
PICTURE = "color=s=320x180:r=25:d={seconds},format=yuv420p"
NUMBER = "geq=lum='16+13*if(lt(X,160),mod(N+{first},16),floor((N+{first})/16))':cb=128:cr=128"
BEEP = "if(lt(mod(t+{first}/25+0.6,1),0.1),0.5*sin(2*PI*1000*t),0)"
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12")
LOUD = 3000  # of 32,767


def numbered(
    file: Path,
    seconds: float,
    *options: str,
    first: int = 0,
    picture_seconds: float | None = None,
    filters: str = "",
    video: tuple[str, ...] = X264,
    sound: bool = True,
) -> Path:
    """Make a recording at 25 frames per second that begins with this number."""
    picture = PICTURE.format(seconds=picture_seconds or seconds)
    graph = ",".join([picture, NUMBER.format(first=first), *filter(None, [filters])])
    tone = f"aevalsrc='{BEEP.format(first=first)}|{BEEP.format(first=first)}':s=48000:d={seconds}"
    audio = ("-f", "lavfi", "-i", tone) if sound else ()
    ffmpeg("-f", "lavfi", "-i", graph, *audio, *video, *options, file)
    return file


def joined(file: Path, *parts: Path) -> Path:
    """Join recordings as people join MPEG streams: byte after byte."""
    file.write_bytes(b"".join(part.read_bytes() for part in parts))
    return file


class Film:
    """A recording as it is played: `numbers` of the pictures by time, and times of `beeps`."""

    def __init__(self, plan: EncodePlan, picture: Path, sound: Path | None) -> None:
        self.plan = plan
        self.shown = _shown(picture)
        self.beeps = _beeps(sound) if sound else []

    @property
    def numbers(self) -> list[int]:
        return [number for _, number in self.shown]

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.shown]


async def film_of(source: Path, folder: Path) -> Film:
    """Encode a recording as the jobs do, and decode what a player gets."""
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - nothing else runs
    plan = await planned(source, folder)
    if plan.remux:
        source = await remux(source, plan.remux, folder, plan.duration)
    picture = folder / "picture.mp4"
    with picture.open("wb") as out:
        for span in plan.spans:
            chunk = folder / str(span.index)
            chunk.mkdir()
            index = (await encode_chunk(source, plan, span, chunk, _nobody))[plan.rungs[0].name]
            data = (chunk / f"{plan.rungs[0].name}.mp4").read_bytes()
            out.write(data if span.index == 0 else data[index.init_length :])
    if plan.has_audio:
        await encode_audio(source, plan, folder, no_part)
    return Film(plan, picture, folder / "audio.mp4" if plan.has_audio else None)


def _shown(file: Path) -> list[tuple[float, int]]:
    found = []
    with av.open(str(file)) as container:
        for frame in container.decode(video=0):
            assert frame.pts is not None
            assert frame.time_base is not None
            light, line = memoryview(frame.planes[0]), frame.planes[0].line_size
            row = line * (frame.height // 2)
            low, high = (light[row + frame.width * at // 4] for at in (1, 3))
            number = round((low - 16) / 13) + 16 * round((high - 16) / 13)
            found.append((round(float(frame.pts * frame.time_base), 4), number))
    return found


def _beeps(file: Path) -> list[float]:
    raw = file.with_suffix(".raw")
    ffmpeg("-i", file, "-ac", "1", "-f", "s16le", raw)
    samples = memoryview(raw.read_bytes()).cast("h")
    starts, quiet = [], 48_000
    for number, sample in enumerate(samples):
        if abs(sample) > LOUD:
            if quiet > 4_800:
                starts.append(round(number / 48_000, 3))
            quiet = 0
        else:
            quiet += 1
    return starts


async def _nobody(_: int) -> None:
    """Nobody watches."""


async def no_part(_: AudioPart) -> None:
    """Nobody plays it yet."""
