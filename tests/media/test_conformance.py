"""The check before a film is published: what is broken is refused, and made again by a retry."""

from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from media.clips import make_clip
from media.test_failures import encode_all, one, upload
from videoflix.media.jobs.encode import inspect, run_encode_audio, run_encode_chunk
from videoflix.media.ladder import Rung
from videoflix.media.models import Asset, TrackKind
from videoflix.media.payloads import EncodeAudio, EncodeChunk, Inspect
from videoflix.media.plan import AudioSpec, EncodePlan
from videoflix.media.segment_index import pack
from videoflix.media.service.conformance import rendition_findings
from videoflix.platform.storage.media_storage import media_storage

VIDEOS = "/api/v1/videos"
# 25 frames a second in segments of 4 s: three parts with one, two and two segments.
PARTS = (1, 2, 2)
PLAN = EncodePlan(
    frame_rate_num=25,
    frame_rate_den=1,
    frame_count=500,
    segment_frames=100,
    rungs=(Rung("360p", 640, 360, 1), Rung("120p", 214, 120, 1)),
    spans=(),
    has_audio=True,
    origin="0/1",
    interlaced=False,
    hdr="",
    matrix="bt709",
    audio=(AudioSpec(1, 2),),
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("clip")
    return make_clip(folder / "clip.mp4", seconds=7, size="64x36", rate="10").read_bytes()


@pytest.fixture
async def asset(
    session: AsyncSession, editor: httpx.AsyncClient, clip: bytes
) -> AsyncIterator[Asset]:
    """A film of two chunks; the audio and the first chunk are encoded."""
    await upload(editor, clip)
    asset_id = await session.scalar(select(func.max(Asset.id))) or 0
    await inspect(Inspect(asset_id=asset_id))
    await run_encode_audio(EncodeAudio(asset_id=asset_id))
    await run_encode_chunk(EncodeChunk(asset_id=asset_id, index=0))
    found = await session.get_one(Asset, asset_id)
    folder = found.folder
    yield found
    await media_storage().delete_below(folder)


@pytest.mark.parametrize(
    ("damage", "kind", "again"),
    [
        # Of two tracks that do not begin together, either may be wrong.
        ("start_ticks = start_ticks + timescale", "video", ["0", "1", "audio"]),
        ("codec = 'avc1.4d4014'", "video", ["0", "1"]),
        ("file_bytes = 100", "audio", ["audio"]),
    ],
)
async def test_broken_film_fails_with_the_reason_and_a_retry_repairs_it(
    session: AsyncSession,
    editor: httpx.AsyncClient,
    asset: Asset,
    damage: str,
    kind: str,
    again: list[str],
) -> None:
    asset_id, film = asset.id, f"{VIDEOS}/{asset.video_id}"
    await session.execute(
        text(
            f"update media_part set {damage} where chunk_index = 0 and rendition_id in"
            " (select id from media_rendition where kind = :kind)"
        ),
        {"kind": kind},
    )
    await session.commit()
    await run_encode_chunk(EncodeChunk(asset_id=asset_id, index=1))
    found = (await editor.get(f"{film}/encoding")).json()
    assert (found["state"], found["failure"]["code"]) == ("failed", "broken-output")
    assert "was not published" in found["failure"]["reason"]
    assert ("36p" if kind == "video" else "audio") in found["failure"]["reason"]
    shown = (await editor.get(film)).json()
    assert (shown["state"], shown["playable"]) == ("failed", False)
    assert (await editor.get(f"{film}/master.m3u8")).status_code == 409
    missing = await session.scalars(
        text(
            "select index::text from media_chunk where not done"
            " union select name from media_rendition where kind = 'audio' and not is_complete"
            " order by 1"
        )
    )
    assert list(missing) == again
    assert (await editor.post(f"{film}/retry")).status_code == 202
    await encode_all(session, asset_id)
    assert await one(session, "select state from media_asset") == "ready"
    assert (await editor.get(f"{film}/master.m3u8")).status_code == 200


def row(name: str, kind: TrackKind, scale: int, **changes: Any) -> SimpleNamespace:
    """A rendition as AssetRepository.tracks returns it; `changes` are of its second part."""
    starts, segments, sizes, begin = [], [], [], 0
    for count in PARTS:
        ticks, at = 4 * scale, 700
        segments.append([(ticks, at + 900 * n, 900) for n in range(count)])
        starts.append(begin)
        sizes.append(at + 900 * count)
        begin += count * ticks
    values: dict[str, list[Any]] = {
        "codecs": ["avc1.64001e"] * 3,
        "timescales": [scale] * 3,
        "segments": list(map(pack, segments)),
        "start_ticks": starts,
        "file_bytes": sizes,
        "chunks": [0, 1, 2],
    }
    for column, value in changes.items():
        values[column][1] = value
    return SimpleNamespace(name=name, kind=kind, **values)


def rows(**changes: Any) -> Iterator[SimpleNamespace]:
    yield row("360p", TrackKind.VIDEO, 10_000)
    yield row("120p", TrackKind.VIDEO, 10_000, **changes)
    yield row("audio", TrackKind.AUDIO, 48_000)


def test_whole_film_passes() -> None:
    assert list(rendition_findings(list(rows()), PLAN)) == []
    # Files of earlier releases: their beginning and length are unknown.
    old = list(rows())
    for found in old:
        found.start_ticks = found.file_bytes = [None] * 3
    assert list(rendition_findings(old, PLAN)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"start_ticks": 40_010}, "continuity"),
        ({"file_bytes": 2_499}, "byte-range"),
        ({"segments": pack([(40_000, 700, 900), (40_000, 1_599, 900)])}, "byte-range"),
        ({"segments": pack([(40_000, 700, 0), (40_000, 1_600, 900)])}, "byte-range"),
        ({"segments": pack([(40_000, 700, 900)])}, "tracks-end-together"),
        ({"segments": pack([(30_000, 700, 900), (50_000, 1_600, 900)])}, "aligned-segments"),
        ({"codecs": "avc1.4d001e"}, "codecs"),
        ({"chunks": 4}, "missing-file"),
    ],
)
def test_fault_in_a_part_is_found(changes: dict[str, Any], expected: str) -> None:
    found = list(rendition_findings(list(rows(**changes)), PLAN))
    assert expected in [finding.rule for finding in found]
    assert {finding.track for finding in found} == {"120p"}


def test_missing_rendition_is_found() -> None:
    found = list(rendition_findings(list(rows())[:2], PLAN))
    assert [(finding.rule, finding.where) for finding in found] == [("missing-rendition", "audio")]
