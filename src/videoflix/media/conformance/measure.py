"""Measure the media of a playlist: read the head of each fragment, never whole segments."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import msgspec

from videoflix.media.conformance.boxes import (
    FragmentHead,
    InitSection,
    Truncated,
    Unreadable,
    read_head,
    read_init,
)
from videoflix.media.conformance.findings import Finding, error
from videoflix.media.conformance.m3u8 import ByteRange, ListedSegment, Playlist
from videoflix.media.conformance.measured import MeasuredRendition, init_findings
from videoflix.media.conformance.timeline import TimedSegment, TimedTrack

HEAD_BYTES = 4096
MOOF_MAX, INIT_MAX = 4 << 20, 1 << 20
FRAGMENTS_MAX = 10_000
CONCURRENT = 8
MPEG_TS, PACKED_AUDIO = b"\x47", (b"ID3", b"\xff\xf1", b"\xff\xf9")


class SourceFailed(Exception):
    """A resource could not be read; the message says why."""


class Bytes(msgspec.Struct, frozen=True):
    """A part of a resource of `total` bytes; None if its size is unknown.

    `url` is where it was found, if that is not where it was looked for (after a redirect).
    """

    data: bytes
    total: int | None
    url: str = ""


class Source(Protocol):
    """Where playlists and media are read from."""

    async def read(self, url: str, offset: int, length: int) -> Bytes:
        """Read at most `length` bytes from an offset. Raises SourceFailed."""


class Measuring:
    """Measures playlists with a bounded number of concurrent reads.

    At most `segments_max` segments of each are read, evenly spread; 0 reads all.
    """

    def __init__(self, source: Source, segments_max: int) -> None:
        self._source = source
        self._segments_max = segments_max
        self._slots = asyncio.Semaphore(CONCURRENT)

    async def rendition(
        self, playlist: Playlist, name: str, *, is_text: bool = False
    ) -> tuple[MeasuredRendition, list[Finding]]:
        """Measure the segments of a media playlist."""
        found: list[Finding] = []
        inits = {} if is_text else await self._inits(playlist, name, found)
        wanted = set() if is_text else self._chosen(len(playlist.segments))
        resources = {uri: n for n, uri in enumerate(dict.fromkeys(_uris(playlist)))}
        tasks = [
            self._segment(segment, inits.get(segment.map), is_read=number in wanted)
            for number, segment in enumerate(playlist.segments)
        ]
        timed: list[TimedSegment] = []
        for number, (segment, outcome) in enumerate(
            zip(playlist.segments, await asyncio.gather(*tasks), strict=True)
        ):
            if isinstance(outcome, str):
                found.append(error("segment", f"{name}, segment {number}", outcome))
            measured = _unmeasured(segment) if isinstance(outcome, str) else outcome
            resource = resources[segment.source.uri]
            timed.append(msgspec.structs.replace(measured, resource=resource))
        is_video = any(init.is_video for init in inits.values())
        if playlist.first("EXT-X-I-FRAMES-ONLY") is not None:
            timed = [_key_frame_only(segment) for segment in timed]
        track = TimedTrack(name, is_video, playlist.is_complete, timed, is_text)
        return MeasuredRendition(track, playlist.target, tuple(inits.values())), found

    def _chosen(self, count: int) -> set[int]:
        if not self._segments_max or count <= self._segments_max:
            return set(range(count))
        last = max(1, self._segments_max - 1)
        return {number * (count - 1) // last for number in range(self._segments_max)}

    async def _inits(
        self, playlist: Playlist, name: str, found: list[Finding]
    ) -> dict[ByteRange | None, InitSection]:
        inits: dict[ByteRange | None, InitSection] = {}
        for wanted in dict.fromkeys(segment.map for segment in playlist.segments):
            if wanted is None:
                continue
            try:
                length = wanted.length or INIT_MAX
                data = (await self._source.read(wanted.uri, wanted.offset, length)).data
                inits[wanted] = read_init(data)
            except (SourceFailed, Unreadable) as problem:
                message = f"The initialisation section cannot be read: {problem}."
                found.append(error("map", name, message))
        found += init_findings(name, list(inits.values()))
        return inits

    async def _segment(
        self, segment: ListedSegment, init: InitSection | None, *, is_read: bool
    ) -> TimedSegment | str:
        """Measure a segment; a text says what is wrong with it."""
        if not is_read:
            return _unmeasured(segment)
        async with self._slots:
            try:
                return await self._measured(segment, init)
            except (SourceFailed, Unreadable) as problem:
                return f"It cannot be read: {problem}."

    async def _measured(self, segment: ListedSegment, init: InitSection | None) -> TimedSegment:
        source = segment.source
        first = await self._source.read(source.uri, source.offset, _within(source, HEAD_BYTES))
        total = first.total
        length = source.length
        if length is None and total is not None:
            length = total - source.offset
        timed = msgspec.structs.replace(_unmeasured(segment), length=length, resource_bytes=total)
        is_other = first.data.startswith((MPEG_TS, *PACKED_AUDIO))
        if init is None or segment.encrypted or is_other:
            return timed
        heads = await self._heads(source, init, first.data, length)
        if not heads:
            raise Unreadable("there is no fragment")
        scale = init.timescale
        return msgspec.structs.replace(
            timed,
            start=min(head.start for head in heads) / scale,
            stop=max(head.stop for head in heads) / scale,
            decode_start=heads[0].decode_time / scale,
            decode_stop=(heads[-1].decode_time + heads[-1].duration) / scale,
            samples=sum(head.samples for head in heads),
            begins_with_key_frame=heads[0].begins_with_key_frame,
        )

    async def _heads(
        self, source: ByteRange, init: InitSection, data: bytes, length: int | None
    ) -> list[FragmentHead]:
        heads: list[FragmentHead] = []
        at = 0
        while len(heads) < FRAGMENTS_MAX:
            try:
                head = read_head(data, init)
            except Truncated as cut:
                if cut.needed > MOOF_MAX or (length is not None and at + cut.needed > length + 16):
                    if heads:
                        return heads  # other boxes follow the last fragment
                    raise
                wanted = max(cut.needed, 2 * len(data))
                more = await self._source.read(source.uri, source.offset + at, wanted)
                if len(more.data) <= len(data):
                    return heads
                data = more.data
                continue
            if head is None:
                return heads
            heads.append(head)
            at += head.end
            if length is None or at + 8 >= length:
                return heads
            data = data[head.end :]
            if len(data) < HEAD_BYTES // 2:
                wanted = min(HEAD_BYTES, length - at)
                data = (await self._source.read(source.uri, source.offset + at, wanted)).data
        return heads


def _uris(playlist: Playlist) -> Sequence[str]:
    return [segment.source.uri for segment in playlist.segments]


def _within(source: ByteRange, wanted: int) -> int:
    return wanted if source.length is None else min(wanted, source.length)


def _unmeasured(segment: ListedSegment) -> TimedSegment:
    return TimedSegment(
        declared=segment.duration,
        resource=0,
        offset=segment.source.offset,
        length=segment.source.length,
        discontinuity=segment.discontinuity,
    )


def _key_frame_only(segment: TimedSegment) -> TimedSegment:
    """The duration in an I-frame playlist is the time to the next key frame."""
    return msgspec.structs.replace(
        segment, stop=None, decode_start=None, decode_stop=None, samples=0
    )
