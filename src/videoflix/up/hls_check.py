"""`videoflix hls check`: where playlists and media are read from, and the report."""

import asyncio
import re
import sys
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import asyncpg
import click
import httpx
import msgspec
from sqlalchemy.exc import SQLAlchemyError

from videoflix.media.conformance.check import PLAYLIST_MAX, Report, check
from videoflix.media.conformance.findings import Severity
from videoflix.media.conformance.m3u8 import NotAPlaylist
from videoflix.media.conformance.measure import Bytes, SourceFailed
from videoflix.media.schemas import Presentation
from videoflix.platform.problems import Problem
from videoflix.platform.storage.media_storage import media_storage
from videoflix.playback.service.playlists import (
    FILE_NAME,
    KEY_FRAMES,
    current_presentation,
    key_frame_playlist,
    master_playlist,
)
from videoflix.playback.service.segments import Slice, init_slice, segment_slice, store
from videoflix.playback.service.subtitles import subtitle_playlist
from videoflix.profiles.schemas import ANONYMOUS

CONFORMANT, BROKEN, NOT_CHECKED = 0, 1, 2
TIMEOUT_SECONDS = 20.0
# Never requested: a base for the relative URIs of playlists that are made here.
STORED = "https://videos.invalid"
TRACK_FILE = re.compile(r"/assets/(\d+)/([a-z0-9]+)/([^/]+)")
SUBTITLES = re.compile(r"/subtitles/[^/]+/[^/]+/(\d+)/index\.m3u8")
CONTENT_RANGE = re.compile(r"bytes \d+-\d+/(\d+)")


def run(target: str, *, segments_max: int, as_json: bool) -> int:
    """Check and report; return the exit status."""
    try:
        report = asyncio.run(_check(target, segments_max))
    except (
        SourceFailed,
        NotAPlaylist,
        Problem,
        SQLAlchemyError,
        asyncpg.PostgresError,
        OSError,
    ) as error:
        click.echo(f"Could not check: {str(error).splitlines()[0]}", err=True)
        return NOT_CHECKED
    if as_json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        click.echo(describe(report))
    return CONFORMANT if report.is_conformant else BROKEN


async def _check(target: str, segments_max: int) -> Report:
    if target.isdecimal():
        url = f"{STORED}/{target}/master.m3u8"
        report = await check(StoredFilm(int(target)), url, segments_max)
        return msgspec.structs.replace(report, url=f"video {target}")
    if not target.startswith(("http://", "https://")):
        raise SourceFailed("give the ID of a video, or a URL with http:// or https://")
    async with WebSource() as source:
        return await check(source, target, segments_max)


class StoredFilm:
    """A film of this site, read from the database and the media storage."""

    def __init__(self, video_id: int) -> None:
        self._video_id = video_id
        self._sizes: dict[str, int | None] = {}

    async def read(self, url: str, offset: int, length: int) -> Bytes:
        path = urlsplit(url).path
        try:
            if (found := TRACK_FILE.search(path)) is not None:
                return await self._track_file(int(found[1]), found[2], found[3], (offset, length))
            if (found := SUBTITLES.search(path)) is not None:
                presentation = await current_presentation(self._video_id)
                return _text(subtitle_playlist(presentation, int(found[1])).encode())
            return _text((await master_playlist(ANONYMOUS, self._video_id, "")).encode())
        except Problem as problem:
            raise SourceFailed(str(problem)) from problem

    async def _track_file(
        self, asset_id: int, rendition: str, name: str, span: tuple[int, int]
    ) -> Bytes:
        presentation = await store.presentation(self._video_id, asset_id)
        if name == KEY_FRAMES:
            found = await key_frame_playlist(ANONYMOUS, self._video_id, asset_id, rendition)
            return _text(found.text)
        if name == "index.m3u8":
            return _text(store.playlist(presentation, presentation.tracks[rendition]).text)
        place = _locate(presentation, rendition, name)
        if place is None:
            raise SourceFailed(f"there is no {rendition}/{name}")
        return await self._stored(place, *span)

    async def _stored(self, place: Slice, offset: int, length: int) -> Bytes:
        if place.key not in self._sizes:
            self._sizes[place.key] = await media_storage().size(place.key)
        size, end = self._sizes[place.key], place.offset + place.length
        if size is None:
            raise SourceFailed(f"the file {place.key} is missing")
        if end > size:
            raise SourceFailed(f"its bytes end at {end}, the file {place.key} at {size}")
        wanted = min(length, place.length - offset)
        if wanted <= 0:
            return Bytes(b"", place.length)
        try:
            data = await media_storage().read(place.key, place.offset + offset, wanted)
        except FileNotFoundError as error:
            raise SourceFailed(f"the file {place.key} was deleted") from error
        return Bytes(data, place.length)


def _locate(presentation: Presentation, rendition: str, name: str) -> Slice | None:
    track, file = presentation.tracks.get(rendition), FILE_NAME.fullmatch(name)
    if track is None or file is None:
        return None
    if file["chunk"] is not None:
        return init_slice(track, int(file["chunk"]))
    return segment_slice(track, int(file["segment"]))


def _text(data: bytes) -> Bytes:
    return Bytes(data, len(data))


class WebSource:
    """Playlists and media by HTTP, with byte ranges where the server has them."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(follow_redirects=True, timeout=TIMEOUT_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def read(self, url: str, offset: int, length: int) -> Bytes:
        is_playlist = length == PLAYLIST_MAX
        ranged = {"Range": f"bytes={offset}-{offset + length - 1}", "Accept-Encoding": "identity"}
        try:
            async with self._client.stream(
                "GET", url, headers={} if is_playlist else ranged
            ) as got:
                if got.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return Bytes(b"", None)
                if got.status_code >= httpx.codes.BAD_REQUEST:
                    raise SourceFailed(f"the server returned {got.status_code}")
                is_part = got.status_code == httpx.codes.PARTIAL_CONTENT
                data = await _limited(got, length if is_part else offset + length)
                skipped = 0 if is_part else offset
                return Bytes(data[skipped : skipped + length], _total(got), str(got.url))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceFailed(str(error) or type(error).__name__) from error


async def _limited(response: httpx.Response, limit: int) -> bytes:
    """The first `limit` bytes of a body."""
    data = bytearray()
    async for block in response.aiter_bytes():
        data += block
        if len(data) >= limit:
            break
    return bytes(data[:limit])


def _total(response: httpx.Response) -> int | None:
    """The size of the whole resource."""
    whole = CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    if whole is not None:
        return int(whole[1])
    length = response.headers.get("content-length", "")
    is_plain = response.headers.get("content-encoding", "identity") == "identity"
    return int(length) if length.isdecimal() and is_plain else None


def describe(report: Report) -> str:
    """The report as lines."""
    width = max((len(found.name) for found in report.playlists), default=0)
    lines = [
        f"{found.name:<{width}}  {found.kind:<9}  {found.segments:>5} segments"
        f"  {found.duration:>10.3f} s{'' if found.complete else '  growing'}"
        for found in report.playlists
    ]
    lines += [
        f"{found.severity.value}: {found.where}: {found.message} [{found.rule}]"
        for found in report.findings
    ]
    wrong = sum(found.severity is Severity.ERROR for found in report.findings)
    doubtful = len(report.findings) - wrong
    lines.append(f"{_counted(wrong, 'error')}, {_counted(doubtful, 'warning')}.")
    return "\n".join(lines)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
