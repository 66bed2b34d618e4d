"""Read the timestamps of all packets once, without decoding them."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from math import ceil, floor
from typing import Any

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

# Decode times that go back this far, in seconds, start the clock again.
RESTART_SECONDS = 1.0
# A longer pause of all tracks is a jump of the clock, not a still picture.
GAP_SECONDS = 10.0


class StreamClock:
    """The timestamps of one stream's packets.

    `ticks` (of pictures only) are presentation times in any order, `keys` those of key frames with
    their decode times; `first` and `end` are the earliest and the end of the latest packet. All
    are in units of `base` seconds. `gaps` are pauses of more than GAP_SECONDS, in seconds.
    """

    def __init__(self, stream: Stream) -> None:
        self.base = stream.time_base or Fraction(1)
        self.restarts = False
        self.gaps: list[tuple[float, float]] = []
        self.ticks: list[int] = []
        self.keys: list[tuple[int, int]] = []
        self.count = 0
        self.first: int | None = None
        self.end = 0
        self._keeps_ticks = stream.type == "video"
        self._seconds_per_tick = float(self.base)  # fractions take too long for each packet
        self._last: float | None = None
        self._seconds: set[int] = set()  # in which packets begin

    @property
    def begin_seconds(self) -> Fraction | None:
        return None if self.first is None else self.first * self.base

    @property
    def end_seconds(self) -> Fraction:
        return self.end * self.base

    def add(self, pts: int, dts: int, duration: int, *, is_key: bool) -> None:
        """Add a packet; all times are in ticks."""
        end = pts + duration
        self.count += 1
        if self.first is None:
            self.first, self.end = pts, end
        elif pts < self.first:
            self.first = pts
        if end > self.end:
            self.end = end
        self._follow(dts * self._seconds_per_tick)
        if self._keeps_ticks:
            self.ticks.append(pts)
            if is_key:
                self.keys.append((pts, dts))

    def _follow(self, now: float) -> None:
        before, self._last = self._last, now
        if before is not None:
            if before - now > RESTART_SECONDS:
                self.restarts = True
            elif now - before > GAP_SECONDS:
                self.gaps.append((before, now))
        self._seconds.add(floor(now))

    def is_silent(self, after: float, before: float) -> bool:
        """Return whether no packet begins between two times, give or take a second."""
        return self._seconds.isdisjoint(range(ceil(after) + 1, floor(before) - 1))


class Clocks(dict[int, StreamClock]):
    """The clock of each stream by its index, and the time from first to last packet of all."""

    @property
    def seconds(self) -> float:
        begins = [clock.begin_seconds for clock in self.values() if clock.begin_seconds is not None]
        ends = [clock.end_seconds for clock in self.values()]
        return max(0.0, float(max(ends) - min(begins))) if begins else 0.0


def read_clocks(container: InputContainer) -> Clocks:
    clocks = Clocks()
    for packet in _packets(container):
        pts, dts = packet.pts, packet.dts
        pts = dts if pts is None else pts
        if pts is None:
            continue
        index = packet.stream_index
        clock = clocks.get(index)
        if clock is None:
            clock = clocks[index] = StreamClock(packet.stream)
        dts = pts if dts is None else dts
        clock.add(pts, dts, packet.duration or 0, is_key=packet.is_keyframe)
    return clocks


def jumps(picture: StreamClock, sounds: list[StreamClock]) -> bool:
    """Return whether all tracks pause together for long.

    If only the picture pauses, it stands still, as in recordings of a screen.
    """
    return any(all(sound.is_silent(*gap) for sound in sounds) for gap in picture.gaps)


def _packets(container: InputContainer) -> Iterator["Packet[Any]"]:  # generic for mypy only
    """Iterate over the packets to be shown, up to the end or to unreadable damage."""
    with suppress(FFmpegError):
        for packet in container.demux():
            # Edit lists discard packets that are only needed to decode others.
            if packet.size and not packet.is_discard:
                yield packet
