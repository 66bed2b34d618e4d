"""Encode the audio in one pass, in parts that can be played while it is encoded.

Two processes joined by a pipe: one decodes into uncompressed audio of one form, whatever changes
in the source, and the other puts that on the film's clock and encodes it. Encoding is a hundred
times faster than playing, so the first part is ready in a second, however long the film is, and
no joint between parts can be heard.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from videoflix.media.encode import CLEAN, FRAGMENTED, attribute_to_full_disk
from videoflix.media.ffmpeg import PIPE_FORMAT, Input
from videoflix.media.ffmpeg_process import run_ffmpeg
from videoflix.media.filters import SAMPLE_RATE, audio, decoded_audio
from videoflix.media.fmp4 import Index, InvalidOutput, complete_boxes, index_audio
from videoflix.media.plan import AudioSpec, EncodePlan
from videoflix.platform.process.run import OnLine, ProcessFailed

FIRST_SEGMENTS, PART_SEGMENTS = 1, 15
# The last AAC frame is padded; more is a fault.
TOLERANCE_SECONDS = 0.1
BROKEN_PIPE = "Broken pipe"


class AudioPart(msgspec.Struct, frozen=True):
    """A part of the audio: its number, its file, and whether it is the last."""

    number: int
    file: Path
    index: Index
    is_last: bool


OnPart = Callable[[AudioPart], Awaitable[None]]


async def encode_audio(
    source: Path, plan: EncodePlan, folder: Path, on_part: OnPart, track: int = 0
) -> None:
    """Encode an audio rendition, as long as the video, and call `on_part` with each part in turn.

    The boundaries of parts are the same in each attempt. Raises InvalidOutput, ProcessFailed, or
    StorageFull.
    """
    pipe, file = folder / "decoded", folder / "audio.mp4"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    parts = _Parts(file, plan, on_part)

    async def on_line(_: str) -> None:
        await parts.publish()

    decoding = _decode(source, plan, track, pipe, parts.note_decoded)
    encoding = run_ffmpeg(
        [Input(pipe, ["-copyts"], PIPE_FORMAT)],
        _encoded(plan, plan.audio_renditions[track], file),
        folder,
        plan.duration,
        on_line,
    )
    await _together(decoding, encoding)
    async with attribute_to_full_disk(folder):
        await parts.publish(ended=True)


async def _decode(source: Path, plan: EncodePlan, track: int, pipe: Path, on_line: OnLine) -> None:
    """Write the decoded audio to the pipe. Raises ProcessFailed or StorageFull."""
    # -copyts: the filters subtract the plan's origin from the source's own timestamps.
    inputs = [Input(source, ["-copyts"])]
    written = _decoded(plan, plan.audio_renditions[track], pipe)
    try:
        await run_ffmpeg(inputs, written, pipe.parent, plan.duration, on_line)
    except ProcessFailed as error:
        # The reader has all that the film needs, or has failed and says so itself.
        if BROKEN_PIPE not in error.log:
            raise


def _decoded(plan: EncodePlan, spec: AudioSpec, pipe: Path) -> list[str]:
    stream = "a:0" if spec.index < 0 else str(spec.index)
    return [
        "-map", f"0:{stream}", "-vn", *CLEAN,
        "-af", decoded_audio(plan),
        "-c:a", "pcm_f32le", "-ac", str(spec.channels), "-ar", str(SAMPLE_RATE),
        "-avoid_negative_ts", "disabled",
        "-f", PIPE_FORMAT, f"file:{pipe}",
    ]  # fmt: skip


def _encoded(plan: EncodePlan, spec: AudioSpec, file: Path) -> list[str]:
    segment = round(plan.segment_frames / plan.frame_rate * 1_000_000)
    return [
        "-map", "0:a:0", "-vn", *CLEAN,
        "-af", audio(plan),
        "-c:a", "aac", "-b:a", str(spec.bitrate),
        "-ac", str(spec.channels), "-ar", str(SAMPLE_RATE),
        "-avoid_negative_ts", "disabled",  # the timestamps are final; do not shift them
        "-f", "mp4", "-frag_duration", str(segment), "-movflags", FRAGMENTED,
        f"file:{file}",  # never a protocol, whatever the name
    ]  # fmt: skip


async def _together(*runs: Coroutine[Any, Any, None]) -> None:
    """Run all; when one fails, cancel the others and raise its error."""
    tasks = [asyncio.create_task(run) for run in runs]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Parts:
    """Cuts parts off a file that is still being written."""

    def __init__(self, file: Path, plan: EncodePlan, on_part: OnPart) -> None:
        self._file = file
        self._plan = plan
        self._on_part = on_part
        self._segment_seconds = float(plan.segment_frames / plan.frame_rate)
        self._complete = 0  # bytes of complete boxes
        self._bounds: list[int] = []  # where the header and each fragment end, in bytes
        self._published = 0  # fragments
        self._number = 0  # of the next part
        self._ticks = 0
        self._decoded_seconds = 0.0

    def note_decoded(self, line: str) -> None:
        """Read from the decoder's progress how far it has come."""
        key, _, value = line.partition("=")
        if key == "out_time_us" and value.strip().isdigit():
            self._decoded_seconds = int(value) / 1_000_000

    async def publish(self, *, ended: bool = False) -> None:
        """Publish the parts that are complete; at the end, also the last one."""
        await asyncio.to_thread(self._look)
        while count := self._next_count(ended=ended):
            part = await asyncio.to_thread(self._cut, count, ended=ended)
            await self._on_part(part)
        if ended and not self._published:
            raise InvalidOutput("no audio")

    def _next_count(self, *, ended: bool) -> int:
        """How many fragments the next part has; 0 if it is not complete yet."""
        ready = max(0, len(self._bounds) - 1 - self._published)
        wanted = PART_SEGMENTS if self._number else FIRST_SEGMENTS
        if ended:
            return min(ready, wanted)
        # One more must follow, or this may be the last part. What lies beyond the decoder's
        # progress may be silence: a decoder that is killed looks like the end of the sound.
        end = (self._published + wanted + 1) * self._segment_seconds
        return wanted if ready > wanted and end <= self._decoded_seconds else 0

    def _look(self) -> None:
        """Find the fragments that were added."""
        if not self._file.exists():
            return
        with self._file.open("rb") as opened:
            for name, _, end in complete_boxes(opened, self._complete):
                if name in {b"moov", b"mdat"}:
                    self._bounds.append(end)
                self._complete = end

    def _cut(self, count: int, *, ended: bool) -> AudioPart:
        """Write the next part to a file of its own. Raises InvalidOutput."""
        first, last = self._published, self._published + count
        file = self._file.with_name(f"audio-{self._number}.mp4")
        with self._file.open("rb") as whole:
            header = whole.read(self._bounds[0])
            whole.seek(self._bounds[first])
            file.write_bytes(header + whole.read(self._bounds[last] - self._bounds[first]))
        index = index_audio(file)
        if index.start != self._ticks:
            raise InvalidOutput(f"the audio continues at {index.start} instead of {self._ticks}")
        self._ticks += sum(segment.duration for segment in index.segments)
        is_last = ended and last == len(self._bounds) - 1
        if is_last:
            self._check_length(index.timescale)
        part = AudioPart(self._number, file, index, is_last)
        self._published, self._number = last, self._number + 1
        return part

    def _check_length(self, timescale: int) -> None:
        seconds = self._ticks / timescale
        if abs(seconds - self._plan.duration) > TOLERANCE_SECONDS:
            raise InvalidOutput(f"{seconds:.2f} s of audio instead of {self._plan.duration:.2f} s")
