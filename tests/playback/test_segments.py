"""Playlists and segments: small texts, few queries, files that were replaced, films that grow."""

import gzip
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import httpx
import pytest
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from compat.playable import add_playable
from factories import AssetFactory, RenditionFactory, RenditionFileFactory, create
from videoflix.media.models import Asset, AssetState, Rendition, RenditionFile, TrackKind
from videoflix.media.schemas import Presentation, SegmentedTrack
from videoflix.media.service import Media
from videoflix.platform.postgres.notify import event_bus
from videoflix.platform.storage.media_storage import media_storage
from videoflix.playback.service.segments import SegmentStore, segments_of, store

BASE = "http://test"


@pytest.fixture
async def film(session: AsyncSession) -> AsyncIterator[int]:
    video = await add_playable(session)
    yield video
    await media_storage().delete_below(f"assets/playable-{video}")


async def master_of(client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int) -> str:
    played = await viewer.post(f"/api/v1/videos/{film}/play")
    assert played.status_code == 200, played.text
    return str(played.json()["master_url"])


async def playlist_of(client: httpx.AsyncClient, master: str, name: str = "360p") -> str:
    """The address of a rendition's playlist."""
    text = (await client.get(master)).text
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return urljoin(master, next(line for line in lines if f"/{name}/" in line))


async def test_token_is_short_and_in_no_line_of_a_media_playlist(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int
) -> None:
    master = await master_of(client, viewer, film)
    assert len(master.partition("?token=")[2]) <= 100
    url = await playlist_of(client, master)
    answer = await client.get(url)
    names = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert names == ["00000.m4s", "00001.m4s"]
    assert (await client.get(urljoin(url, names[1]))).content == b"second"
    assert (await client.get(urljoin(url, "init-0.mp4"))).content == b"init"


async def test_older_addresses_have_the_token_in_every_line(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int
) -> None:
    master = await master_of(client, viewer, film)
    asset = (await playlist_of(client, master)).split("/assets/")[1].split("/")[0]
    query = master[master.index("?") :]
    answer = await client.get(f"/api/v1/videos/{film}/assets/{asset}/360p/index.m3u8{query}")
    names = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert names == [f"00000.m4s{query}", f"00001.m4s{query}"]
    assert f'URI="init-0.mp4{query}"' in answer.text


async def test_playlist_is_compressed_and_revalidated(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int
) -> None:
    url = await playlist_of(client, await master_of(client, viewer, film))
    plain = await client.get(url, headers={"Accept-Encoding": "identity"})
    zipped = await client.get(url, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.text == plain.text
    known = await client.get(url, headers={"If-None-Match": plain.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    for path in (url, urljoin(url, "00000.m4s")):
        head, whole = await client.head(path), await client.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == whole.headers["content-type"]


class Queries:
    """Counts the statements this process sends."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def note(self, *call: object) -> None:
        if not str(call[2]).startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            self.sent.append(str(call[2]))


async def test_known_and_invented_segments_cost_no_query(
    client: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    film: int,
    engine: AsyncEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_bus, "hears", True)
    url = await playlist_of(client, await master_of(client, viewer, film))
    unknown = url.replace("/assets/", "/assets/9")
    assert (await client.get(unknown)).status_code == 404
    queries = Queries()
    event.listen(engine.sync_engine, "before_cursor_execute", queries.note)
    for name, status in (("00000.m4s", 200), ("9999999.m4s", 404), ("init-99.mp4", 404)):
        assert (await client.get(urljoin(url, name))).status_code == status
    for path in (
        url.replace("/360p/", "/999p/"),
        unknown,
        unknown.replace("/assets/9", "/assets/98"),
    ):
        assert (await client.get(path)).status_code == 404
    event.remove(engine.sync_engine, "before_cursor_execute", queries.note)
    assert queries.sent == []


async def test_growing_film_promises_no_less_than_is_to_come(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int, session: AsyncSession
) -> None:
    """BANDWIDTH is a limit: what is encoded so far (24 bit/s) says nothing of what follows."""
    await session.execute(text("update media_asset set state = 'encoding'"))
    await session.execute(
        text("update media_rendition set max_bitrate = 50000 where name = 'audio'")
    )
    await session.commit()
    master = await master_of(client, viewer, film)
    growing = (await client.get(master)).text
    assert "BANDWIDTH=150000,AVERAGE-BANDWIDTH=24," in growing
    playlist = (await client.get(await playlist_of(client, master))).text
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in playlist
    store.clear()
    await session.execute(text("update media_asset set state = 'ready'"))
    await session.commit()
    assert "BANDWIDTH=24,AVERAGE-BANDWIDTH=24," in (await client.get(master)).text


async def test_replaced_file_plays_on_where_nothing_is_remembered(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int, session: AsyncSession
) -> None:
    master = await master_of(client, viewer, film)
    old = await playlist_of(client, master)
    await add_newer_file(session, film)
    store.clear()  # another replica
    new = await playlist_of(client, master)
    assert new != old
    for url in (old, urljoin(old, "00001.m4s"), new):
        assert (await client.get(url)).status_code == 200
    await Media(session).delete_retired(f"assets/playable-{film}")
    await session.commit()
    store.clear()
    assert (await client.get(old)).status_code == 404


async def add_newer_file(session: AsyncSession, film: int) -> None:
    """Another complete file of a film, which took the place of the first one."""
    older = (await session.scalars(select(Asset).where(Asset.video_id == film))).one()
    asset = await create(
        session, AssetFactory, video_id=film, state=AssetState.READY, plan=older.plan
    )
    tracks = select(Rendition, RenditionFile).join(RenditionFile)
    for rendition, file in (await session.execute(tracks)).all():
        copy = await create(
            session,
            RenditionFactory,
            asset_id=asset.id,
            **{name: getattr(rendition, name) for name in ("name", "kind", "width", "height")},
        )
        await create(
            session,
            RenditionFileFactory,
            rendition_id=copy.id,
            **{name: getattr(file, name) for name in ("key", "codec", "timescale", "init_length")},
            segments=file.segments,
        )
    media = Media(session)
    found = await media.assets.locked(asset.id)
    assert found is not None
    assert await media.assets.retire_others(found) == [f"assets/playable-{film}"]
    await session.commit()


def long_track(segments: int) -> SegmentedTrack:
    record = (96096).to_bytes(4, "little") + (500_000).to_bytes(4, "little") + bytes(8)
    return SegmentedTrack(
        name="720p", kind=TrackKind.VIDEO, width=1280, height=720, max_bitrate=1,
        codec="avc1", duration=4.004 * segments, segments=record * segments,
        firsts=(0,), keys=("a/b",), timescales=(24000,),
        init_lengths=(800,), maps=(0,),
    )  # fmt: skip


def presentation(asset: int, track: SegmentedTrack) -> Presentation:
    return Presentation(
        asset_id=asset, video_id=1, complete=True, frame_rate=24.0, segment_seconds=4.004,
        duration=track.duration,        tracks={track.name: track},
    )  # fmt: skip


def test_playlist_of_three_hours_fits_into_60_kilobytes() -> None:
    track = long_track(2_700)
    segments = list(segments_of(track))
    assert (segments[-1].uri, segments[-1].duration) == ("02699.m4s", 4.004)
    found = SegmentStore(1 << 20).playlist(presentation(1, track), track)
    assert len(found.gzipped) < 60_000
    assert gzip.decompress(found.gzipped) == found.text


def test_memory_is_bounded_by_bytes() -> None:
    bounded = SegmentStore(300_000)
    track = long_track(1_800)
    for asset in range(20):
        bounded.playlist(presentation(asset, track), track)
    assert 0 < bounded._kept.currsize <= 300_000
