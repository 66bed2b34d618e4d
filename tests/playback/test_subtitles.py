"""Subtitles in the multivariant playlist: from the file or uploaded, in step with the video."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from media.clips import ffmpeg
from videoflix.catalog.schemas import VideoCreate
from videoflix.media.jobs.encode import inspect, run_encode_chunk
from videoflix.media.jobs.subtitles import run_extract_subtitles
from videoflix.media.models import Asset
from videoflix.media.payloads import EncodeChunk, ExtractSubtitles, Inspect
from videoflix.media.schemas import StoredFile
from videoflix.media.service import Media
from videoflix.platform.storage.media_storage import media_storage
from videoflix.platform.webvtt import Cue, parse_cues
from videoflix.playback.service.segments import store
from videoflix.playback.service.subtitles import split

FOLDER = "assets/subtitles"
# Language in the file, disposition, text.
TRACKS = (
    ("ger", "forced", "nur Schilder"),
    ("ger", "0", "Guten Tag"),
    ("eng", "hearing_impaired", "[door] Hello"),
    ("chi", "default", "你好"),
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    inputs: list[str | Path] = ["-f", "lavfi", "-i", "testsrc2=s=64x36:r=5:d=26"]
    options = ["-map", "0:v", "-c:v", "libx264", "-g", "5", "-c:s", "subrip"]
    for number, (language, disposition, line) in enumerate(TRACKS):
        file = folder / f"{number}.srt"
        # The second cue is on the screen from one segment of the video to the next.
        file.write_text(
            f"1\n00:00:01,000 --> 00:00:02,000\n{line}\n\n"
            f"2\n00:00:15,000 --> 00:00:17,500\n<i>{line} 2</i>\n"
        )
        inputs += ["-i", file]
        options += ["-map", f"{number + 1}:s", f"-metadata:s:s:{number}", f"language={language}"]
        options += [f"-disposition:s:{number}", disposition]
    film = folder / "film.mkv"
    ffmpeg(*inputs, *options, film)
    return film


@pytest.fixture
async def asset(session: AsyncSession, recording: Path) -> AsyncIterator[Asset]:
    """The recording as a film that plays while it is encoded."""
    stored = await media_storage().put(f"{FOLDER}/source", recording)
    file = StoredFile(FOLDER, f"{FOLDER}/source", "a.mkv", stored.size, stored.sha256)
    await Media(session).accept(VideoCreate(title="Subtitles"), file, None)
    await session.commit()
    asset_id = await session.scalar(select(func.max(Asset.id))) or 0
    await inspect(Inspect(asset_id=asset_id))
    queued = "select count(*) from procrastinate_jobs where task_name = 'media.extract_subtitles'"
    assert await session.scalar(text(queued)) == 1
    await run_encode_chunk(EncodeChunk(asset_id=asset_id, index=0))
    await run_extract_subtitles(ExtractSubtitles(asset_id=asset_id))
    yield await session.get_one(Asset, asset_id)
    await media_storage().delete_below(FOLDER)


async def complete(asset: Asset, session: AsyncSession) -> None:
    for chunk in range(1, len((asset.plan or {})["spans"])):
        await run_encode_chunk(EncodeChunk(asset_id=asset.id, index=chunk))
    await session.refresh(asset)
    assert asset.state == "ready"


async def get(client: httpx.AsyncClient, path: str) -> str:
    found = await client.get(path)
    assert found.status_code == 200, found.text
    return found.text


async def master(viewer: httpx.AsyncClient, asset: Asset) -> list[str]:
    """The multivariant playlist by play token: its renditions' lines."""
    play = await viewer.post(f"/api/v1/videos/{asset.video_id}/play")
    return (await get(viewer, play.json()["master_url"])).splitlines()


def subtitles(lines: list[str]) -> dict[str, tuple[str, str]]:
    """Name and address by language."""
    found = [line for line in lines if line.startswith("#EXT-X-MEDIA:TYPE=SUBTITLES")]
    pattern = r'GROUP-ID="subtitles",NAME="(.*)",LANGUAGE="(.*)",DEFAULT=NO,.*,URI="(.*)"'
    matches = [re.search(pattern, line) for line in found]
    return {match[2]: (match[1], match[3]) for match in matches if match}


async def test_subtitles_of_the_file_play_without_a_header(
    asset: Asset, session: AsyncSession, viewer: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    await complete(asset, session)
    lines = await master(viewer, asset)
    assert 'SUBTITLES="subtitles"' in next(line for line in lines if "STREAM-INF" in line)
    offered = subtitles(lines)
    names = {language: name for language, (name, _) in offered.items()}
    assert names == {"de": "Deutsch", "en": "English", "zh": "中文"}
    base = f"/api/v1/videos/{asset.video_id}/"
    address = base + offered["de"][1]
    # Without the account's header: the token in the path is enough.
    playlist = (await get(client, address)).splitlines()
    assert playlist[-3:] == ["#EXTINF:26.000000,", "00000.vtt", "#EXT-X-ENDLIST"]
    file = await get(client, address.replace("index.m3u8", "00000.vtt"))
    assert file.startswith("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n")
    assert [cue[:3] for cue in parse_cues(file.encode())] == [
        (1.0, 2.0, "Guten Tag"),
        (15.0, 17.5, "Guten Tag 2"),
    ]
    refused = await client.get(re.sub(r"/play/[^/]+/", "/play/forged/", address))
    assert refused.status_code == 401


async def test_playlist_grows_with_the_video(
    asset: Asset, session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    address = f"/api/v1/videos/{asset.video_id}/" + subtitles(await master(viewer, asset))["en"][1]
    video = (await master(viewer, asset))[-1]
    growing = await get(viewer, address)
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in growing
    pictures = await get(viewer, f"/api/v1/videos/{asset.video_id}/{video}")
    assert growing.count("#EXTINF") == pictures.count("#EXTINF") == 1
    await complete(asset, session)
    store.clear()  # read again at once
    ended = await get(viewer, address)
    # The segments that a player has already read stay as they were.
    head = growing.split("#EXTINF", 1)[1]
    assert head in ended
    assert ended.endswith("#EXTINF:2.000000,\n00006.vtt\n#EXT-X-ENDLIST\n")


async def test_uploaded_subtitles_win_over_those_of_the_file(
    asset: Asset, session: AsyncSession, viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    path = f"/api/v1/videos/{asset.video_id}/subtitles/de"
    before = subtitles(await master(viewer, asset))["de"][1]
    own = "WEBVTT\n\n00:01.000 --> 00:02.000\nHallo\n"
    assert (await editor.put(path, files={"data": ("de.vtt", own)})).status_code == 204
    await run_extract_subtitles(ExtractSubtitles(asset_id=asset.id))  # runs twice
    offered = subtitles(await master(viewer, asset))
    assert sorted(offered) == ["de", "en", "zh"]
    assert offered["de"][1] != before
    segment = offered["de"][1].replace("index.m3u8", "00000.vtt")
    assert "Hallo" in await get(viewer, f"/api/v1/videos/{asset.video_id}/{segment}")
    film = (await viewer.get(f"/api/v1/videos/{asset.video_id}")).json()
    assert [track["language"] for track in film["subtitles"]] == ["de", "en", "zh"]


@pytest.mark.parametrize(
    "path",
    ["fr/{digest}/1/00000.vtt", "de/{digest}/2/00000.vtt", "de/{digest}/1/00007.vtt"],
)
async def test_unknown_segments_are_not_found(
    asset: Asset, viewer: httpx.AsyncClient, path: str
) -> None:
    await viewer.get(f"/api/v1/videos/{asset.video_id}/master.m3u8")
    path = path.format(digest="0" * 32)
    found = await viewer.get(f"/api/v1/videos/{asset.video_id}/subtitles/{path}")
    assert found.status_code == 404


def test_cue_is_in_every_segment_during_which_it_is_shown() -> None:
    cues = [Cue(0.5, 4.0, "a", "a"), Cue(3.0, 9.0, "b", "b"), Cue(40.0, 50.0, "late", "late")]
    found = [[cue.text for cue in _read(file)] for file in split(cues, 4.0, 3)]
    assert found == [["a", "b"], ["b"], ["b"]]


def _read(file: bytes) -> list[Cue]:
    return parse_cues(file) if b"-->" in file else []
