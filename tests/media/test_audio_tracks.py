"""Every audio track of a recording is offered: by language and name, in stereo and in 5.1."""

import io
import re
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import av
import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from media.clips import ffmpeg
from videoflix.catalog.schemas import VideoCreate
from videoflix.media.jobs.encode import inspect, run_encode_audio, run_encode_chunk
from videoflix.media.models import Asset
from videoflix.media.payloads import EncodeAudio, EncodeChunk, Inspect
from videoflix.media.schemas import StoredFile
from videoflix.media.service import Media
from videoflix.media.service.failures import Failures
from videoflix.platform.storage.media_storage import media_storage

FOLDER = "assets/audio-tracks"
# Language in the file, title, disposition, channels, and the tone in hertz.
TRACKS = (
    ("ger", "", "default", 6, 300),
    ("eng", "", "0", 2, 600),
    ("eng", "Director", "comment", 2, 900),
    ("ger", "", "visual_impaired", 2, 1200),
    ("und", "", "0", 1, 1500),
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("clip") / "tracks.mkv"
    inputs: list[str] = ["-f", "lavfi", "-i", "testsrc2=s=64x36:r=5:d=6"]
    options = ["-map", "0:v", "-c:v", "libx264", "-c:a", "aac"]
    for number, (language, title, disposition, channels, tone) in enumerate(TRACKS):
        inputs += ["-f", "lavfi", "-i", f"sine=f={tone}:d=6"]
        options += ["-map", f"{number + 1}:a", f"-ac:a:{number}", str(channels)]
        options += [f"-metadata:s:a:{number}", f"language={language}"]
        options += [f"-metadata:s:a:{number}", f"title={title}"]
        options += [f"-disposition:a:{number}", disposition]
    ffmpeg(*inputs, *options, file)
    return file


@pytest.fixture
async def asset(session: AsyncSession, recording: Path) -> AsyncIterator[Asset]:
    """The recording as a film, inspected."""
    stored = await media_storage().put(f"{FOLDER}/source", recording)
    file = StoredFile(FOLDER, f"{FOLDER}/source", "a.mkv", stored.size, stored.sha256)
    await Media(session).accept(VideoCreate(title="Tracks"), file, None)
    await session.commit()
    asset_id = await session.scalar(select(func.max(Asset.id)))
    await inspect(Inspect(asset_id=asset_id or 0))
    found = await session.get_one(Asset, asset_id)
    yield found
    await media_storage().delete_below(FOLDER)


async def encode(asset: Asset, *tracks: int) -> None:
    for chunk in range(len((asset.plan or {})["spans"])):
        await run_encode_chunk(EncodeChunk(asset_id=asset.id, index=chunk))
    for track in tracks:
        await run_encode_audio(EncodeAudio(asset_id=asset.id, track=track))


async def master(client: httpx.AsyncClient, asset: Asset) -> list[str]:
    found = await client.get(f"/api/v1/videos/{asset.video_id}/master.m3u8")
    assert found.status_code == 200, found.text
    return found.text.splitlines()


def media(lines: list[str]) -> list[str]:
    """The audio in the master playlist, without its address."""
    audio = [line for line in lines if line.startswith("#EXT-X-MEDIA:TYPE=AUDIO,")]
    return [line.removeprefix("#EXT-X-MEDIA:TYPE=AUDIO,").partition(",URI")[0] for line in audio]


async def heard(client: httpx.AsyncClient, asset: Asset, line: str) -> tuple[int, int]:
    """Channels, and the tone in hertz, of an audio's first segment."""
    base = f"/api/v1/videos/{asset.video_id}/"
    found = re.search(r'URI="(.*)index\.m3u8"', line)
    assert found
    start = await client.get(f"{base}{found[1]}init-0.mp4")
    segment = await client.get(f"{base}{found[1]}00000.m4s")
    with av.open(io.BytesIO(start.content + segment.content), "r") as container:
        stream = container.streams.audio[0]
        mono = av.AudioResampler("flt", "mono", 48_000)
        samples: list[float] = []
        for frame in container.decode(stream):
            for part in mono.resample(frame):
                samples += memoryview(part.planes[0]).cast("f")[: part.samples]
    second = samples[48_000:96_000]
    rises = sum(before < 0 <= after for before, after in pairwise(second))
    return stream.codec_context.channels, round(rises, -2)


async def test_all_tracks_are_offered_and_sound_right(
    asset: Asset, viewer: httpx.AsyncClient
) -> None:
    await encode(asset, *range(6))
    lines = await master(viewer, asset)
    stereo = [
        'GROUP-ID="audio",NAME="Deutsch",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"',
        'GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2"',
        'GROUP-ID="audio",NAME="Audio",DEFAULT=NO,AUTOSELECT=NO,CHANNELS="2"',
        'GROUP-ID="audio",NAME="Director",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=NO,CHANNELS="2"',
        'GROUP-ID="audio",NAME="Audio description",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,'
        'CHARACTERISTICS="public.accessibility.describes-video",CHANNELS="2"',
    ]
    surround = [line.replace('"audio"', '"surround"') for line in stereo]
    surround[0] = surround[0].replace('CHANNELS="2"', 'CHANNELS="6"')
    assert media(lines) == [*stereo, *surround]
    tracks = [line for line in lines if line.startswith("#EXT-X-MEDIA")]
    tones = [await heard(viewer, asset, line) for line in tracks[:6]]
    assert tones == [(2, 300), (2, 600), (2, 1500), (2, 900), (2, 1200), (6, 300)]
    variants = [line for line in lines if line.startswith("#EXT-X-STREAM-INF")]
    groups = [re.search(r'AUDIO="(\w+)"', line)[1] for line in variants]  # type: ignore[index]
    assert groups == ["audio", "surround"]


async def test_film_plays_before_its_other_tracks_are_there(
    asset: Asset, session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    await encode(asset, 0)
    offered = media(await master(viewer, asset))
    assert [line.split(",")[1] for line in offered] == ['NAME="Deutsch"']
    await session.refresh(asset)
    assert asset.state == "encoding"
    for track in (1, 2, 3, 4):
        await run_encode_audio(EncodeAudio(asset_id=asset.id, track=track))
    await session.refresh(asset)
    assert asset.state == "encoding"
    await run_encode_audio(EncodeAudio(asset_id=asset.id, track=5))
    await session.refresh(asset)
    assert asset.state == "ready"


async def test_what_is_lost_of_a_track_is_queued_again(asset: Asset, session: AsyncSession) -> None:
    await encode(asset, 0, 1, 3)
    await session.execute(
        text("delete from procrastinate_jobs where task_name = 'media.encode_audio'"
             " and args ->> 'track' = '4'")
    )  # fmt: skip
    assert await Failures(session).requeue(asset.id) == 1
    queued = "select count(*) from procrastinate_jobs where args ->> 'track' = '4'"
    assert await session.scalar(text(queued)) == 1
