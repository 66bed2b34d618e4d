"""Read the timestamps of an MP4 file from its index, without reading the media.

FFmpeg's index has the decode times, and the sample tables have the composition offsets. The sums
are compared with packets that are really read, from the beginning and the end of the file: where
they differ, the file is unusual, and all of its packets are read instead.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice, pairwise, repeat
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from videoflix.media.probe.clock import Clocks, StreamClock
from videoflix.media.probe.sample_tables import SampleTable, UnusualTables, sample_tables

FORMAT = "mp4"
HEAD_PACKETS = 200
TAIL_SECONDS = 2
TAIL_PACKETS = 5_000


class IndexedStream:
    """The samples of a stream by the index; raises UnusualTables if they cannot be known."""

    def __init__(self, stream: Stream, table: SampleTable) -> None:
        entries = stream.index_entries
        # Without offsets an entry may be several samples, as of PCM audio.
        if table.offsets and {sum(n for n, _ in table.offsets), table.count} != {len(entries)}:
            raise UnusualTables
        self.stream = stream
        self.dts = [entry.timestamp for entry in entries]
        if any(after < before for before, after in pairwise(self.dts)):
            raise UnusualTables
        self.keys = [entry.is_keyframe for entry in entries]
        self.discarded = [entry.is_discard for entry in entries]
        self.pts = list(map(int.__add__, self.dts, _shifted(table, len(entries))))
        self.last_duration: int | None = None

    def verify_head(self, packets: Iterable["Packet[Any]"]) -> None:
        """Compare with the first packets. Raises UnusualTables."""
        for place, packet in enumerate(packets):
            self._compare(place, packet)

    def verify_tail(self, packets: "Sequence[Packet[Any]]") -> None:
        """Compare with the last packets. Raises UnusualTables, also if the file is cut off."""
        begin = bisect_left(self.dts, packets[0].dts or 0) if packets else 0
        for place, packet in enumerate(packets, begin):
            self._compare(place, packet)
        if begin + len(packets) != len(self.dts) or not packets:
            raise UnusualTables
        self.last_duration = packets[-1].duration

    def _compare(self, place: int, packet: "Packet[Any]") -> None:
        if place >= len(self.dts) or not self._is_at(place, packet):
            raise UnusualTables

    def _is_at(self, place: int, packet: "Packet[Any]") -> bool:
        found = (packet.pts, packet.dts, packet.is_keyframe, packet.is_discard)
        return found == (
            self.pts[place], self.dts[place], self.keys[place], self.discarded[place],
        )  # fmt: skip

    def clock(self) -> StreamClock:
        clock = StreamClock(self.stream)
        ends = chain(self.dts[1:], [self.dts[-1] + (self.last_duration or 0)])
        samples = zip(self.pts, self.dts, ends, self.keys, self.discarded, strict=True)
        for pts, dts, end, key, discarded in samples:
            if not discarded:
                clock.add(pts, dts, end - dts, is_key=key)
        return clock


def read_index(container: InputContainer, path: str) -> Clocks | None:
    """The clocks of an MP4 file; None if its index does not tell them."""
    if FORMAT not in container.format.name.split(","):
        return None
    with suppress(UnusualTables, FFmpegError):
        tables = sample_tables(Path(path))
        streams = [stream for stream in container.streams if len(stream.index_entries)]
        if not streams or any(stream.id not in tables for stream in streams):
            return None
        indexed = {stream.index: IndexedStream(stream, tables[stream.id]) for stream in streams}
        _verify(container, indexed)
        clocks = Clocks()
        clocks.update({number: found.clock() for number, found in indexed.items()})
        return clocks
    return None


def _verify(container: InputContainer, indexed: dict[int, IndexedStream]) -> None:
    """Compare the index with the packets at both ends of the file. Raises UnusualTables."""
    head = list(islice(_packets(container), HEAD_PACKETS))
    end = (container.duration or 0) - TAIL_SECONDS * av.time_base
    container.seek(max(0, end))
    tail = list(islice(_packets(container), TAIL_PACKETS))
    for number, found in indexed.items():
        found.verify_head(packet for packet in head if packet.stream_index == number)
        found.verify_tail([packet for packet in tail if packet.stream_index == number])


def _packets(container: InputContainer) -> Iterator["Packet[Any]"]:
    return (packet for packet in container.demux() if packet.size)


def _shifted(table: SampleTable, count: int) -> Iterable[int]:
    """What FFmpeg adds to the decode time of each sample: no offset is negative."""
    if not table.offsets:
        return repeat(0, count)
    shift = max(0, *(-offset for _, offset in table.offsets))
    return chain.from_iterable(repeat(shift + offset, n) for n, offset in table.offsets)
