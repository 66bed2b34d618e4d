"""Films that can be played without encoding anything: rows, and bytes to tell apart."""

from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from factories import AssetFactory, RenditionFactory, RenditionFileFactory, create
from videoflix.media.models import Asset, AssetState, TrackKind
from videoflix.media.segment_index import pack_lengths
from videoflix.platform.storage.media_storage import media_storage

WIDTHS = {360: 640, 120: 214}
PLAN = {
    "frame_rate_num": 24,
    "frame_rate_den": 1,
    "frame_count": 192,
    "segment_frames": 96,
    "rungs": [],
    "spans": [],
    "has_audio": True,
    "origin": "0/1",
    "interlaced": False,
    "hdr": "",
    "matrix": "bt709",
}
# An initialisation section of four bytes, and two segments of six.
PART_BYTES = b"initfirst!second"


async def add_playable(session: AsyncSession, title: str = "Film") -> int:
    """A film of 8 seconds in 360p and 120p with its sound; its id."""
    (film,) = await add_films(session, {"title": title})
    folder = f"assets/playable-{film}"
    asset = await create(
        session,
        AssetFactory,
        video_id=film,
        state=AssetState.READY,
        folder=folder,
        source_name="clip.mp4",
        plan=PLAN,
    )
    for lines in (*WIDTHS, None):
        await _add_track(session, asset, lines)
    await session.commit()
    async with media_storage().writing(f"{folder}/source") as writer:
        await writer.write(b"the original file")
    return film


async def _add_track(session: AsyncSession, asset: Asset, lines: int | None) -> None:
    name = f"{lines}p" if lines else "audio"
    rendition = await create(
        session,
        RenditionFactory,
        asset_id=asset.id,
        name=name,
        kind=TrackKind.VIDEO if lines else TrackKind.AUDIO,
        width=WIDTHS[lines] if lines else None,
        height=lines,
        max_bitrate=100_000,
    )
    key = f"{asset.folder}/{name}.mp4"
    async with media_storage().writing(key) as writer:
        await writer.write(PART_BYTES)
    await create(
        session,
        RenditionFileFactory,
        rendition_id=rendition.id,
        key=key,
        codec="avc1.64001e" if lines else "mp4a.40.2",
        timescale=24,
        init_length=4,
        segments=[[96, 4, 6], [96, 10, 6]],
        key_frames=pack_lengths([3, 3]) if lines else None,
    )
