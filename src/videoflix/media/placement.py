"""Place an encoded chunk on the film's clock.

FFmpeg starts every file at decode time 0. Where frames are reordered (B-frames), its first picture
is then shown with a delay. Later chunks are moved back by that delay, onto the last decode times
of the chunk before. Nothing precedes the first chunk: there, the first frames are decoded at
shorter intervals. So every picture is shown on the grid without an edit list or negative
composition offsets, with which FFmpeg-based players show pictures too late for the sound.
"""

import struct
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import msgspec

from videoflix.media.fmp4 import boxes, check, find
from videoflix.media.sample_run import COMPOSITION, DURATION, SampleRun


def place(path: Path, first_frame: int, frame_ticks: int) -> None:
    """Show the file's first picture at `first_frame`. Raises InvalidOutput."""
    delay = _delay(path)
    check(delay % frame_ticks == 0, f"a delay of {delay} ticks")
    if first_frame:
        _shift(path, first_frame * frame_ticks - delay)
    elif delay:
        path.write_bytes(_begun_early(path.read_bytes(), Clock(delay, frame_ticks)))


class Clock(msgspec.Struct, frozen=True):
    """Decode times in ticks by sample: `delay` earlier than FFmpeg's, but none before 0."""

    delay: int
    frame_ticks: int

    @property
    def early(self) -> int:
        """How many samples are decoded during the first frame."""
        return self.delay // self.frame_ticks + 1

    def decode_time(self, sample: int) -> int:
        if sample < self.early:
            return sample * self.frame_ticks // self.early
        return sample * self.frame_ticks - self.delay

    def retimed(self, run: SampleRun, first: int) -> SampleRun:
        """Give a run, whose first sample has this number, a duration and offset per sample."""
        numbers = range(first, first + run.count)
        times = [self.decode_time(number) for number in [*numbers, first + run.count]]
        shown = [
            number * self.frame_ticks - self.delay + offset
            for number, offset in zip(numbers, run.compositions, strict=True)
        ]
        durations = tuple(after - time for time, after in pairwise(times))
        offsets = tuple(time - decoded for time, decoded in zip(shown, times, strict=False))
        columns = run.columns | {DURATION: durations, COMPOSITION: offsets}
        return msgspec.structs.replace(run, columns=columns)


def _delay(path: Path) -> int:
    """The composition offset of the first sample."""
    with path.open("rb") as file:
        moof = find(file, (0, path.stat().st_size), b"moof")
        start, end = find(file, moof, b"traf", b"trun")
        file.seek(start)
        return SampleRun.parse(file.read(end - start)).compositions[0]


def _shift(path: Path, ticks: int) -> None:
    """Add `ticks` to all decode times, in place."""
    with path.open("r+b") as file:
        for name, start, end in boxes(file, 0, path.stat().st_size):
            if name == b"moof":
                at = find(file, (start, end), b"traf", b"tfdt")[0]
                file.seek(at)
                version, time = struct.unpack(">IQ", file.read(12))
                check(version >> 24 == 1, "decode times of 32 bits")
                file.seek(at + 4)
                file.write(struct.pack(">Q", time + ticks))


def _begun_early(data: bytes, clock: Clock) -> bytes:
    """Rewrite a file's times by the clock."""
    placed, sample, at = bytearray(), 0, 0
    for name, start, end in boxes(BytesIO(data), 0, len(data)):
        if name == b"moof":
            moof, count = _moved(data[start:end], sample, clock)
            placed += moof
            sample += count
        else:
            placed += data[at:end]
        at = end
    return bytes(placed)


def _moved(moof: bytes, first: int, clock: Clock) -> tuple[bytes, int]:
    """Rewrite a moof, whose first sample has this number; also return its number of samples."""
    start, end = find(BytesIO(moof), (0, len(moof)), b"traf")
    parts = {name: moof[a:b] for name, a, b in boxes(BytesIO(moof), start, end)}
    check({b"tfdt", b"trun"} <= parts.keys() and parts[b"tfdt"][0] == 1, "an unknown fragment")
    run = SampleRun.parse(parts[b"trun"])
    if first < clock.early:
        longer = clock.retimed(run, first)
        growth = len(longer.serialise()) - len(parts[b"trun"])
        longer = msgspec.structs.replace(longer, data_offset=(run.data_offset or 0) + growth)
        parts[b"trun"] = longer.serialise()
    parts[b"tfdt"] = parts[b"tfdt"][:4] + struct.pack(">Q", clock.decode_time(first))
    traf = _box(b"traf", b"".join(_box(name, content) for name, content in parts.items()))
    return _box(b"moof", moof[: start - 8] + traf + moof[end:]), run.count


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content
