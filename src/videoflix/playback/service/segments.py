"""Segments and media playlists as this process remembers them, bounded by bytes.

What was read of a complete asset never changes. One that is being encoded grows: it is read again
at most once a second, whoever asks for whichever segment, by one query for all who wait.
"""

import gzip
import hashlib
import time
from collections.abc import Iterator

import msgspec

from videoflix.media.schemas import Presentation, SegmentedTrack
from videoflix.media.service import Presentations
from videoflix.platform.cache.single_flight import SingleFlight
from videoflix.platform.cache.ttl import LruCache, TtlCache
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import NotFound
from videoflix.playback.hls import MediaSegment, bit_rates, media_playlist
from videoflix.settings import settings

REREAD_SECONDS = 1.0
# Films, or assets, of which something unknown was asked for within the last second.
UNKNOWN_MAX = 10_000


class StreamNotFound(NotFound):
    """This film has no such rendition or segment, or not yet."""


class Slice(msgspec.Struct, frozen=True):
    """Where a segment's bytes lie."""

    key: str
    offset: int
    length: int


class Playlist(msgspec.Struct, frozen=True):
    """A media playlist as it is sent."""

    text: bytes
    gzipped: bytes
    etag: str

    @property
    def bytes_held(self) -> int:
        """Memory this takes, roughly."""
        return 400 + len(self.text) + len(self.gzipped)


class Rates(msgspec.Struct, frozen=True):
    """Peak and mean bits a second of what there is of a track."""

    peak: int
    mean: int
    bytes_held: int = 200


class CachedPresentation(msgspec.Struct, frozen=True):
    """A presentation, and when it was read (monotonic)."""

    presentation: Presentation
    at: float

    @property
    def bytes_held(self) -> int:
        return self.presentation.bytes_held

    @property
    def may_be_stale(self) -> bool:
        is_old = time.monotonic() - self.at >= REREAD_SECONDS
        return is_old and not self.presentation.complete


class SegmentStore:
    """Presentations, playlists and bit rates; the least recently used go first."""

    def __init__(self, bytes_max: int) -> None:
        self._kept: LruCache[tuple[object, ...], CachedPresentation | Playlist | Rates] = LruCache(
            "segment indexes", bytes_max, lambda value: value.bytes_held
        )
        self._reading = SingleFlight(self._read)
        self._listing = SingleFlight(self._list_assets)
        # Assets by film, and assets that cannot be played, as of the last second.
        self._assets: TtlCache[int, frozenset[int]]
        self._assets = TtlCache("assets of a film", UNKNOWN_MAX, REREAD_SECONDS)
        self._absent: TtlCache[tuple[int, int], bool]
        self._absent = TtlCache("unknown assets", UNKNOWN_MAX, REREAD_SECONDS)

    async def presentation(self, video_id: int, asset_id: int) -> Presentation:
        """What can be played of an asset, at most a second old. Raises StreamNotFound."""
        read = self._kept.get((video_id, asset_id))
        if isinstance(read, CachedPresentation) and not read.may_be_stale:
            return read.presentation
        if read is None and not await self._is_asset(video_id, asset_id):
            raise StreamNotFound
        found = await self._reading.get((video_id, asset_id))
        if found is None:
            raise StreamNotFound
        return found

    def playlist(
        self, presentation: Presentation, track: SegmentedTrack, prefix: str = "", query: str = ""
    ) -> Playlist:
        """A rendition's media playlist; `prefix` begins and `query` ends all names in it.

        Both should be the same for everybody: each pair is remembered as a text of its own.
        """
        is_complete = presentation.complete
        version = (presentation.asset_id, track.name, track.count, is_complete, prefix, query)
        found = self._kept.get(version)
        if not isinstance(found, Playlist):
            found = _playlist(presentation, track, prefix, query)
            self._put(version, found)
        return found

    def rates(self, presentation: Presentation, track: SegmentedTrack) -> Rates:
        version = ("rates", presentation.asset_id, track.name, track.count)
        found = self._kept.get(version)
        if not isinstance(found, Rates):
            found = Rates(*bit_rates(list(segments_of(track))))
            self._put(version, found)
        return found

    def refresh(self, video_id: int, asset_id: int) -> None:
        """A file is missing: what was read may be out of date, unless that is a moment ago."""
        read = self._kept.get((video_id, asset_id))
        if isinstance(read, CachedPresentation) and time.monotonic() - read.at >= REREAD_SECONDS:
            del self._kept[(video_id, asset_id)]

    def clear(self) -> None:
        self._kept.clear()
        self._assets.clear()
        self._absent.clear()

    async def _is_asset(self, video_id: int, asset_id: int) -> bool:
        """Whether a film has such an asset: invented ones cost one query a film and second."""
        if (video_id, asset_id) in self._absent:
            return False
        known = self._assets.get(video_id)
        if known is None:
            known = await self._listing.get(video_id)
        return asset_id in known

    async def _list_assets(self, video_id: int) -> frozenset[int]:
        async with transaction() as session:
            found = await Presentations(session).assets_of(video_id)
        self._assets[video_id] = found
        return found

    async def _read(self, key: tuple[int, int]) -> Presentation | None:
        at = time.monotonic()
        async with transaction() as session:
            found = await Presentations(session).for_asset(*key)
        if found is None:
            self._kept.pop(key, None)
            self._absent[key] = True
        else:
            self._put(key, CachedPresentation(found, at))
        return found

    def _put(self, key: tuple[object, ...], value: CachedPresentation | Playlist | Rates) -> None:
        if value.bytes_held <= self._kept.maxsize:
            self._kept[key] = value


store = SegmentStore(settings.playback_cache_bytes)


def segments_of(track: SegmentedTrack, prefix: str = "") -> Iterator[MediaSegment]:
    """A track's segments as its playlist lists them, numbered from 0."""
    map_uri, number = "", 0
    for part, timescale, run in track.runs():
        if part in track.maps:
            map_uri = f"{prefix}init-{part}.mp4"
        for ticks, length in run:
            yield MediaSegment(f"{prefix}{number:05}.m4s", map_uri, ticks / timescale, length)
            number += 1


def segment_slice(track: SegmentedTrack, number: int) -> Slice | None:
    """Where the segment with this number lies; None when it is not there (yet)."""
    if number >= track.count:
        return None
    return Slice(track.keys[track.part_of(number)], *track.extent(number))


def init_slice(track: SegmentedTrack, chunk_index: int) -> Slice | None:
    """Where the initialisation section of a chunk lies."""
    if chunk_index >= len(track.keys):
        return None
    return Slice(track.keys[chunk_index], 0, track.init_lengths[chunk_index])


def _playlist(
    presentation: Presentation, track: SegmentedTrack, prefix: str, query: str
) -> Playlist:
    segments = list(segments_of(track, prefix))
    # Sound is cut at its own frames, so its longest segment may outlast the picture's.
    longest = max([float(found.duration) for found in segments], default=0.0)
    target = max(presentation.segment_seconds, longest)
    is_complete = presentation.complete
    text = media_playlist(segments, target=target, complete=is_complete, query=query).encode()
    digest = hashlib.sha256(text).hexdigest()[:32]
    return Playlist(text, gzip.compress(text, 6, mtime=0), f'"{digest}"')
