"""BANDWIDTH promises what a player may need: known peaks, or the encoder's limit while it grows."""

import re

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from compat.playable import add_playable
from videoflix.media.segment_index import pack
from videoflix.platform.storage.media_storage import media_storage

MAX_BITRATE = 1_000_000
SOUND_BITS, SOUND_MAX = 16_000, 128_000
# Segments of 4 and 2 seconds; the shorter one is the peak.
TICKS_A_SECOND = 24


def segments(bits_a_second: int) -> bytes:
    long, short = bits_a_second * 4 // 16, bits_a_second * 2 // 8
    return pack([(4 * TICKS_A_SECOND, 4, long), (2 * TICKS_A_SECOND, 4 + long, short)])


async def bandwidths(viewer: httpx.AsyncClient, film: int) -> dict[str, int]:
    """BANDWIDTH by rung."""
    master = await viewer.get(f"/api/v1/videos/{film}/master.m3u8")
    assert master.status_code == 200, master.text
    found = re.findall(r":BANDWIDTH=(\d+),.*RESOLUTION.*\n\S+/(\w+)/index.m3u8", master.text)
    return {rung: int(bits) for bits, rung in found}


@pytest.mark.parametrize("peak", [MAX_BITRATE // 10, MAX_BITRATE * 2])
@pytest.mark.parametrize("state", ["encoding", "ready"])
async def test_bandwidth_is_the_peak_or_what_it_may_become(
    session: AsyncSession, viewer: httpx.AsyncClient, peak: int, state: str
) -> None:
    film = await add_playable(session)
    for sql, values in (
        (
            "update media_rendition set max_bitrate = :bits where kind = 'video'",
            {"bits": MAX_BITRATE},
        ),
        (
            "update media_rendition set max_bitrate = :bits where kind = 'audio'",
            {"bits": SOUND_MAX},
        ),
        ("update media_part set segments = :new", {"new": segments(peak)}),
        (
            "update media_part set segments = :new where rendition_id in"
            " (select id from media_rendition where kind = 'audio')",
            {"new": segments(SOUND_BITS)},
        ),
        ("update media_asset set state = :state", {"state": state}),
    ):
        await session.execute(text(sql), values)
    await session.commit()
    expected = peak + SOUND_BITS if state == "ready" else max(peak, MAX_BITRATE) + SOUND_MAX
    found = await bandwidths(viewer, film)
    assert found == dict.fromkeys(("360p", "120p"), expected)
    await media_storage().delete_below("assets")
