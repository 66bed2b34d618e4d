"""I-frame playlists and DASH manifests of films that were really encoded, and of older ones."""

import io
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urljoin
from xml.etree import ElementTree

import av
import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from compat.playable import add_playable
from media.clips import make_clip
from media.test_failures import encode_all, upload
from videoflix.media.jobs.encode import inspect
from videoflix.media.models import Asset
from videoflix.media.payloads import Inspect
from videoflix.platform.storage.media_storage import media_storage
from videoflix.playback.service.segments import store

VIDEOS = "/api/v1/videos"
MPD = "{urn:mpeg:dash:schema:mpd:2011}"
SUBTITLES = (
    "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nHello\n\n00:00:03.000 --> 00:00:05.000\nWorld\n"
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("clip")
    return make_clip(folder / "clip.mp4", seconds=10, size="128x72", rate="10").read_bytes()


@pytest.fixture
async def film(session: AsyncSession, editor: httpx.AsyncClient, clip: bytes) -> AsyncIterator[int]:
    """A complete film of three segments with subtitles; its id."""
    await upload(editor, clip)
    asset_id = await session.scalar(select(func.max(Asset.id))) or 0
    await inspect(Inspect(asset_id=asset_id))
    await encode_all(session, asset_id)
    asset = await session.get_one(Asset, asset_id)
    video, folder = asset.video_id, asset.folder
    added = await editor.put(
        f"{VIDEOS}/{video}/subtitles/en", files={"data": ("en.vtt", SUBTITLES.encode())}
    )
    assert added.status_code in {200, 201, 204}, added.text
    yield video
    await media_storage().delete_below(folder)


async def play(viewer: httpx.AsyncClient, film: int) -> dict[str, str]:
    played = await viewer.post(f"{VIDEOS}/{film}/play")
    assert played.status_code == 200, played.text
    found: dict[str, str] = played.json()
    return found


def pictures(data: bytes) -> list[bytes]:
    """The decoded pictures of a file, up to where it is cut off."""
    found: list[bytes] = []
    with av.open(io.BytesIO(data), "r") as container:
        frames = container.decode(video=0)
        with suppress(av.error.FFmpegError):
            found.extend(bytes(frame.planes[0]) for frame in frames)
    return found


async def test_i_frame_playlist_has_the_first_picture_of_each_segment(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int, session: AsyncSession
) -> None:
    master_url = (await play(viewer, film))["master_url"]
    master = (await client.get(master_url)).text
    line = re.search(r'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=(\d+).*URI="([^"]+)"', master)
    assert line is not None
    url = urljoin(master_url, line[2])
    playlist = (await client.get(url)).text
    ranges = re.findall(r"#EXTINF:([\d.]+),\n#EXT-X-BYTERANGE:(\d+)@0\n(\S+)", playlist)
    assert [duration for duration, _, _ in ranges] == ["4.000000", "4.000000", "2.000000"]
    init = (await client.get(urljoin(url, "init-0.mp4"))).content
    for _, length, name in ranges:
        whole = await client.get(urljoin(url, name))
        head = await client.get(urljoin(url, name), headers={"Range": f"bytes=0-{int(length) - 1}"})
        assert (head.status_code, len(head.content)) == (206, int(length))
        assert head.headers["content-range"] == f"bytes 0-{int(length) - 1}/{len(whole.content)}"
        key_frames = pictures(init + head.content)
        assert key_frames == pictures(init + whole.content)[:1]
    assert int(line[1]) >= 8 * int(ranges[0][1]) / 4
    await session.execute(text("update media_asset set state = 'encoding'"))
    await session.commit()
    store.clear()
    assert "I-FRAME" not in (await client.get(master_url)).text
    assert (await client.get(url)).status_code == 404


async def test_segments_are_sent_in_parts(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    film = await add_playable(session)
    master_url = (await play(viewer, film))["master_url"]
    uri = re.search(r"^play/\S+/360p/", (await client.get(master_url)).text, re.MULTILINE)
    assert uri is not None
    url = urljoin(master_url, f"{uri[0]}00001.m4s")
    assert (await client.get(url)).headers["accept-ranges"] == "bytes"
    for ranged, expected in {"0-2": b"sec", "-2": b"nd", "4-": b"nd", "1-99": b"econd"}.items():
        part = await client.get(url, headers={"Range": f"bytes={ranged}"})
        assert (part.status_code, part.content) == (206, expected)
    beyond = await client.get(url, headers={"Range": "bytes=6-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */6")
    for headers in ({"Range": "bytes=0-2", "If-Range": '"x"'}, {"Range": "lines=1-2"}):
        whole = await client.get(url, headers=headers)
        assert (whole.status_code, whole.content) == (200, b"second")
    await media_storage().delete_below(f"assets/playable-{film}")


async def test_dash_manifest_lists_the_same_segments(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int, session: AsyncSession
) -> None:
    url = (await play(viewer, film))["dash_url"]
    answer = await client.get(url)
    assert answer.headers["content-type"].startswith("application/dash+xml")
    assert (await client.get(url, headers={"Accept-Encoding": "gzip"})).text == answer.text
    root = ElementTree.fromstring(answer.text)
    assert root.attrib["mediaPresentationDuration"] == "PT10S"
    kinds = [found.attrib["contentType"] for found in root.iter(f"{MPD}AdaptationSet")]
    assert kinds == ["video", "audio", "text"]
    video, audio, words = root.iter(f"{MPD}Representation")
    for representation in (video, audio):
        base = representation.find(f"{MPD}BaseURL")
        template = representation.find(f"{MPD}SegmentTemplate")
        assert base is not None
        assert template is not None
        folder = urljoin(url, base.text)
        scale = int(template.attrib["timescale"])
        entries = [(int(e.attrib["d"]), int(e.attrib.get("r", 0))) for e in template[0]]
        ticks = [duration for duration, repeats in entries for _ in range(repeats + 1)]
        assert sum(ticks) / scale == pytest.approx(10, abs=0.05)
        init = await client.get(urljoin(folder, template.attrib["initialization"]))
        media = [await client.get(urljoin(folder, f"{n:05}.m4s")) for n in range(len(ticks))]
        assert {found.status_code for found in (init, *media)} == {200}
        gone = await client.get(urljoin(folder, f"{len(ticks):05}.m4s"))
        assert gone.status_code == 404
        if representation is video:
            assert len(pictures(init.content + b"".join(m.content for m in media))) == 100
    base = words.find(f"{MPD}BaseURL")
    assert base is not None
    assert (await client.get(urljoin(url, base.text))).text == SUBTITLES
    # Parts that another release of the encoder made need another initialization section.
    await session.execute(
        text(
            "update media_part set init_sha256 = 'other' where chunk_index > 0 and codec like 'a%'"
        )
    )
    await session.commit()
    store.clear()
    root = ElementTree.fromstring((await client.get(url)).text)
    periods = [(found.attrib["start"], found.attrib["duration"]) for found in root]
    assert periods == [("PT0S", "PT4S"), ("PT4S", "PT6S")]
    first, second = ([t.attrib for t in found.iter(f"{MPD}SegmentTemplate")] for found in root)
    assert [found["initialization"] for found in first] == ["init-0.mp4", "init-0.mp4"]
    assert second[0]["initialization"] == "init-1.mp4"
    assert [found["startNumber"] for found in second] == ["1", "0"]
    assert second[0]["presentationTimeOffset"] == str(4 * int(second[0]["timescale"]))


async def test_files_of_earlier_releases_play_without_i_frames(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    film = await add_playable(session)
    await session.execute(text("update media_part set key_frames = null"))
    await session.commit()
    played = await play(viewer, film)
    master = (await client.get(played["master_url"])).text
    assert "I-FRAME" not in master
    uri = re.search(r"^(play/\S+/360p/)index", master, re.MULTILINE)
    assert uri is not None
    keys = await client.get(urljoin(played["master_url"], f"{uri[1]}iframes.m3u8"))
    assert keys.status_code == 404
    assert (
        "00001.m4s" in (await client.get(urljoin(played["master_url"], uri[1] + "index.m3u8"))).text
    )
    assert (await client.get(played["dash_url"])).status_code == 200
    await media_storage().delete_below(f"assets/playable-{film}")


async def test_growing_film_has_no_dash_manifest(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    film = await add_playable(session)
    url = (await play(viewer, film))["dash_url"]
    await session.execute(text("update media_asset set state = 'encoding'"))
    await session.execute(text("update video set state = 'processing'"))
    await session.commit()
    store.clear()
    refused = await client.get(url)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-complete-yet")
    assert (await play(viewer, film))["dash_url"] is None
    await media_storage().delete_below(f"assets/playable-{film}")


@pytest.mark.parametrize("rate", ["audio only", "small"])
async def test_slow_connections_get_sound_alone(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession, rate: str
) -> None:
    film = await add_playable(session)
    if rate == "audio only":
        await session.execute(
            text("update media_rendition set max_bitrate = 150000 where kind = 'video'")
        )
    await session.execute(
        text("update media_rendition set max_bitrate = 90000 where kind = 'audio'")
    )
    await session.execute(text("update media_asset set state = 'encoding'"))
    await session.commit()
    master = (await client.get((await play(viewer, film))["master_url"])).text
    alone = re.findall(r'BANDWIDTH=(\d+),\S*,CODECS="mp4a.40.2",AUDIO="audio"\n(\S+)', master)
    assert [bits for bits, _ in alone] == (["90000"] if rate == "audio only" else [])
    await media_storage().delete_below(f"assets/playable-{film}")
