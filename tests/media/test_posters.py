"""Posters of a real film: the automatic one, its candidates, uploads, and their sizes."""

import io
import os
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import httpx
import pytest
from av.container import InputContainer
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.test_editing import picture, size_of
from factories import AssetFactory, VideoFactory, create
from media.clips import make_clip
from videoflix.catalog.schemas import VideoCreate
from videoflix.media.jobs.cleanup import delete_folder, sweep_orphans
from videoflix.media.jobs.encode import inspect
from videoflix.media.jobs.mp4 import package_missing
from videoflix.media.jobs.posters import run_make_poster, scale_poster
from videoflix.media.models import Asset, AssetState
from videoflix.media.payloads import (
    DeleteFolder,
    Inspect,
    MakePoster,
    PackageMissing,
    ScalePoster,
    SweepOrphans,
)
from videoflix.media.schemas import StoredFile
from videoflix.media.service import Media
from videoflix.media.service.fsck import Finding, Fsck, Options
from videoflix.platform.storage.media_storage import media_storage

FOLDER = "assets/posters-test"
WEBP = {"Accept": "image/avif,image/webp,*/*;q=0.8"}


class Film(NamedTuple):
    id: int
    video_id: int


class Made(NamedTuple):
    """What the jobs made of the clip, to be stored for each test."""

    plan: Any
    stills: Any
    objects: dict[str, bytes]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=4, size="854x480")


@pytest.fixture(scope="module")
def made() -> dict[str, Made]:
    return {}


@pytest.fixture
async def film(session: AsyncSession, clip: Path, made: dict[str, Made]) -> AsyncIterator[Film]:
    """A complete film whose poster is made, and which anybody may see."""
    for folder in (FOLDER, "posters"):
        await media_storage().delete_below(folder)
    if not made:
        made["clip"] = await run_jobs_on(session, clip)
    for key, data in made["clip"].objects.items():
        async with media_storage().writing(key) as writer:
            await writer.write(data)
    stills = made["clip"].stills
    video = await create(
        session, VideoFactory, title="Clip", poster=stills["poster"], poster_widths=stills["widths"]
    )
    asset = await create(
        session,
        AssetFactory,
        video_id=video.id,
        state=AssetState.READY,
        folder=FOLDER,
        source_key=f"{FOLDER}/source",
        source_bytes=len(made["clip"].objects[f"{FOLDER}/source"]),
        source_sha256="",
        plan=made["clip"].plan,
        stills=stills,
    )
    await session.commit()
    yield Film(asset.id, video.id)
    for folder in (FOLDER, "posters"):
        await media_storage().delete_below(folder)


async def run_jobs_on(session: AsyncSession, clip: Path) -> Made:
    stored = await media_storage().put(f"{FOLDER}/source", clip)
    file = StoredFile(FOLDER, f"{FOLDER}/source", "clip.mp4", stored.size, "")
    video = await Media(session).accept(VideoCreate(title="Clip"), file, None)
    await session.commit()
    asset = (await session.scalars(select(Asset).where(Asset.video_id == video.id))).one()
    await inspect(Inspect(asset_id=asset.id))
    await run_make_poster(MakePoster(asset_id=asset.id))
    await session.refresh(asset)
    objects = {
        key: await media_storage().read_all(key) for key in await media_storage().keys(FOLDER)
    }
    found = Made(asset.plan, asset.stills, objects)
    await Media(session).remove(video.id)
    await session.execute(text("delete from procrastinate_jobs"))
    await session.commit()
    return found


async def shown(client: httpx.AsyncClient, film: Film) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/videos/{film.video_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def path_of(film: Film) -> str:
    return f"/api/v1/videos/{film.video_id}/poster"


async def put(client: httpx.AsyncClient, film: Film, data: bytes) -> httpx.Response:
    return await client.put(path_of(film), files={"data": ("poster", data)})


async def run_deletions(session: AsyncSession) -> None:
    rows = await session.scalars(
        text("delete from procrastinate_jobs where task_name = :name returning args->>'folder'"),
        {"name": DeleteFolder.name},
    )
    for folder in rows.all():
        await delete_folder(DeleteFolder(folder=folder))


def red(kind: str, width: int, height: int) -> bytes:
    """A red picture, in the colours of HD video where the format has them."""
    rgb = av.VideoFrame(width, height, "rgb24")
    line = rgb.planes[0].line_size
    rgb.planes[0].update((bytes([255, 0, 0]) * width).ljust(line, b"\0") * height)
    out = io.BytesIO()
    encoder, pixels = {"avif": ("libsvtav1", "yuv420p"), "webp": ("libwebp", "bgra")}[kind]
    with av.open(out, "w", format=kind) as container:
        stream: Any = container.add_stream(encoder)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        if kind == "avif":
            stream.options = {"preset": "12", "svtav1-params": "lp=1"}
            stream.codec_context.colorspace = stream.codec_context.color_range = 1
        frame = rgb.reformat(format=pixels, dst_colorspace=1 if kind == "avif" else None)
        frame.pts = 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return out.getvalue()


def colour_of(data: bytes) -> tuple[int, ...]:
    with av.open(io.BytesIO(data)) as container:
        assert isinstance(container, InputContainer)
        frame = next(container.decode(video=0))
    plane = frame.reformat(format="rgb24").planes[0]
    middle = plane.line_size * (frame.height // 2) + 3 * (frame.width // 2)
    return tuple(bytes(plane)[middle : middle + 3])


async def test_poster_is_served_in_the_sizes_of_its_srcset(
    film: Film, viewer: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    found = await shown(viewer, film)
    assert found["poster_url"].startswith(f"{path_of(film)}.jpg?v=")
    entries = [entry.split() for entry in found["poster_srcset"].split(", ")]
    assert [width for _, width in entries] == ["160w", "320w", "640w", "854w"]
    for url, width in entries:
        answer = await client.get(url, headers=WEBP)
        assert answer.headers["content-type"] == "image/webp"
        assert size_of(answer.content)[0] == int(width[:-1])
        assert answer.headers["vary"].startswith("Accept")
        assert "immutable" in answer.headers["cache-control"]
        etag = {"If-None-Match": answer.headers["etag"], **WEBP}
        again = await client.get(url, headers=etag)
        assert (again.status_code, again.content) == (304, b"")
    listed = (await viewer.get("/api/v1/videos")).json()["items"][0]
    assert listed["poster_srcset"] == found["poster_srcset"]


async def test_clients_without_webp_and_without_a_width_get_the_jpeg_file(
    film: Film, viewer: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    url = (await shown(viewer, film))["poster_url"]
    whole = await client.get(url, headers=WEBP)
    assert whole.headers["content-type"] == "image/jpeg"
    assert size_of(whole.content) == (854, 480)
    assert "vary" not in whole.headers or "Accept," not in whole.headers["vary"]
    for accept in ("*/*", "image/*", "image/webp;q=0", "image/png"):
        plain = await client.get(f"{url}&w=320", headers={"Accept": accept})
        assert plain.content == whole.content, accept
    unversioned = await client.get(f"{path_of(film)}.jpg")
    assert unversioned.content == whole.content
    assert unversioned.headers["cache-control"] == "private, no-cache"


async def test_other_widths_are_refused(film: Film, client: httpx.AsyncClient) -> None:
    for width in ("0", "100", "1e3", "99999", "-1", ""):
        refused = await client.get(f"{path_of(film)}.jpg?w={width}", headers=WEBP)
        assert refused.status_code == 400, width
        assert "160, 320, 640, 1280" in refused.text


async def test_editor_chooses_a_frame_of_the_film(
    film: Film, editor: httpx.AsyncClient, client: httpx.AsyncClient, session: AsyncSession
) -> None:
    automatic = await shown(editor, film)
    found = (await editor.get(f"{path_of(film)}/candidates")).json()
    assert [one["number"] for one in found] == list(range(len(found)))
    times = [one["seconds"] for one in found]
    assert times == sorted(times)
    assert 3 < len(times) <= 8
    assert 0 < times[0] < 1 < 3 < times[-1] < 4
    assert [one["is_automatic"] for one in found].count(True) == 1
    other = next(one for one in found if not one["is_automatic"])
    frame = await editor.get(other["url"])
    assert frame.headers["content-type"] == "image/jpeg"
    chosen = await editor.put(f"{path_of(film)}/candidate", json={"number": other["number"]})
    assert chosen.status_code == 204, chosen.text
    now = await shown(editor, film)
    assert now["poster_url"] != automatic["poster_url"]
    assert (await client.get(now["poster_url"])).content == frame.content
    assert now["poster_srcset"].endswith(" 854w")
    # The job may run again, and does not undo the choice.
    await run_make_poster(MakePoster(asset_id=film.id))
    assert (await shown(editor, film))["poster_url"] == now["poster_url"]
    assert (await editor.delete(path_of(film))).status_code == 204
    await run_deletions(session)
    assert await media_storage().keys("posters") == []
    reset = await shown(editor, film)
    assert (await client.get(reset["poster_url"])).content != frame.content
    missing = await editor.put(f"{path_of(film)}/candidate", json={"number": 99})
    assert missing.json()["type"] == "/problems/candidate-not-found"
    assert (await editor.get(f"{path_of(film)}/candidates/99")).status_code == 404


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif"])
async def test_pictures_of_each_format_are_posters(
    film: Film, editor: httpx.AsyncClient, client: httpx.AsyncClient, kind: str
) -> None:
    """As JPEG of at most 1280 pixels, and smaller; colours stay."""
    data = red(kind, 1920, 1080) if kind in {"webp", "avif"} else picture(kind, 1920, 1080)
    assert (await put(editor, film, data)).status_code == 204
    now = await shown(editor, film)
    whole = await client.get(now["poster_url"])
    assert size_of(whole.content) == (1280, 720)
    small = await client.get(f"{now['poster_url']}&w=160", headers=WEBP)
    assert size_of(small.content) == (160, 90)
    if kind in {"webp", "avif"}:
        for found in (whole.content, small.content):
            assert all(
                abs(value - wanted) < 12
                for value, wanted in zip(colour_of(found), (255, 0, 0), strict=True)
            ), colour_of(found)


async def test_uploaded_poster_stays_until_it_is_replaced(
    film: Film, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    """Another editor may replace it, as everything about a film; sweeps and fsck know it."""
    automatic = (await shown(editor, film))["poster_url"]
    for size in (100, 200):
        assert (await put(editor, film, picture("jpeg", size, size))).status_code == 204
    await run_deletions(session)
    kept = sorted(await media_storage().keys("posters"))
    assert [key.rpartition("/")[2] for key in kept] == [
        "poster-160.webp", "poster-200.webp", "poster.jpg",
    ]  # fmt: skip
    await make_old("posters")
    await make_old(FOLDER)
    before = sorted(await media_storage().keys(FOLDER))
    await sweep_orphans(SweepOrphans())
    assert sorted(await media_storage().keys("posters")) == kept
    assert sorted(await media_storage().keys(FOLDER)) == before
    findings: list[Finding] = []
    await Fsck(Options(), findings.append, lambda _: None).run()
    assert [found for found in findings if "poster" in found.key] == []
    await package_missing(PackageMissing())
    names = await session.scalars(text("select task_name from procrastinate_jobs"))
    assert MakePoster.name not in names.all(), "the automatic one is there"
    assert (await editor.delete(path_of(film))).status_code == 204
    assert (await shown(editor, film))["poster_url"] == automatic
    await run_deletions(session)
    assert await media_storage().keys("posters") == []


async def test_poster_goes_with_its_film(
    film: Film, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    await put(editor, film, picture("jpeg", 100, 100))
    await Media(session).remove(film.video_id)
    await session.commit()
    await run_deletions(session)
    assert await media_storage().keys("posters") == []
    assert await media_storage().keys(FOLDER) == []


async def test_lost_and_orphaned_posters_are_found(
    film: Film, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    await put(editor, film, picture("jpeg", 100, 100))
    own = next(key for key in await media_storage().keys("posters") if key.endswith(".jpg"))
    candidate = next(key for key in await media_storage().keys(FOLDER) if "candidate" in key)
    await media_storage().delete([own, candidate])
    async with media_storage().writing("posters/orphan/poster.jpg") as writer:
        await writer.write(b"x")
    await make_old("posters")
    findings: list[Finding] = []
    await Fsck(Options(repair=True), findings.append, lambda _: None).run()
    found = {found.key: (found.fault, found.repair) for found in findings}
    assert found == {
        own: ("missing", ""),
        candidate: ("missing", "queued again"),
        "posters/orphan/poster.jpg": ("orphan", "deleted"),
    }


async def test_posters_of_earlier_releases_get_their_sizes(
    film: Film, viewer: httpx.AsyncClient, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    """They are shown without them, and `DELETE` has their candidates made."""
    await session.execute(text("update media_asset set stills = null"))
    await session.execute(text("update video set poster_widths = '{}'"))
    await session.execute(text("delete from procrastinate_jobs"))
    await session.commit()
    old = await shown(viewer, film)
    assert (old["poster_url"], old["poster_srcset"])[1] is None
    plain = await viewer.get(f"{old['poster_url']}&w=320", headers=WEBP)
    assert plain.headers["content-type"] == "image/jpeg"
    assert (await editor.get(f"{path_of(film)}/candidates")).json() == []
    await package_missing(PackageMissing())
    jobs = await session.scalars(text("select task_name from procrastinate_jobs"))
    assert ScalePoster.name in (names := jobs.all())
    assert MakePoster.name not in names, "the poster itself stays"
    await scale_poster(ScalePoster(video_id=film.video_id))
    await scale_poster(ScalePoster(video_id=film.video_id))
    session.expire_all()
    scaled = await shown(editor, film)
    assert scaled["poster_url"] == old["poster_url"]
    assert scaled["poster_srcset"].endswith(" 854w")
    # An upload keeps it for later.
    await put(editor, film, picture("jpeg", 100, 100))
    await editor.delete(path_of(film))
    assert (await shown(editor, film))["poster_url"] == old["poster_url"]
    queued = text("select count(*) from procrastinate_jobs where task_name = :name")
    assert await session.scalar(queued, {"name": MakePoster.name}) == 1
    await run_make_poster(MakePoster(asset_id=film.id))
    assert len((await editor.get(f"{path_of(film)}/candidates")).json()) > 3


async def test_lost_poster_is_made_again(film: Film, session: AsyncSession) -> None:
    await session.execute(text("update video set poster_widths = '{}'"))
    await session.execute(text("delete from procrastinate_jobs"))
    await session.commit()
    for key in await media_storage().keys(FOLDER):
        if key.endswith("poster.jpg"):
            await media_storage().delete([key])
    await scale_poster(ScalePoster(video_id=film.video_id))
    jobs = await session.scalars(text("select task_name from procrastinate_jobs"))
    assert jobs.all() == [MakePoster.name]


def bomb(width: int, height: int) -> bytes:
    """A few bytes that say they are many pixels."""
    header = b"IHDR" + width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    pixels = b"IDAT" + zlib.compress(bytes(1_000_000), 9)
    chunks = [header, pixels, b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (len(chunk) - 4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) for chunk in chunks
    )


def hostile() -> dict[str, bytes]:
    avif = red("avif", 64, 64)
    return {
        "bomb": bomb(30_000, 30_000),
        "long bomb": bomb(1, 2**31 - 1),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "truncated": avif[: len(avif) - 40],
        "truncated png": picture("png", 64, 64)[:60],
        "avif without a picture": avif[:32],
        "film": b"\0\0\0\x20ftypisom" + bytes(64),
        "wrong type": b"RIFF\x10\0\0\0WEBPVP8 \x04\0\0\0abcd",
        "gif": b"GIF89a" + bytes(64),
        "empty": b"",
        "too many bytes": picture("jpeg", 8, 8) + bytes(10 * 1024 * 1024),
    }


async def test_hostile_posters_are_refused(film: Film, editor: httpx.AsyncClient) -> None:
    before = (await shown(editor, film))["poster_url"]
    for name, data in hostile().items():
        refused = await put(editor, film, data)
        assert refused.status_code == 400, f"{name}: {refused.text}"
        assert refused.json()["type"] == "/problems/poster-refused", name
        assert "JPEG, PNG, WebP or AVIF" in refused.text
    assert await media_storage().keys("posters") == []
    assert (await shown(editor, film))["poster_url"] == before


async def test_only_editors_change_posters_of_films_that_exist(
    film: Film, viewer: httpx.AsyncClient, editor: httpx.AsyncClient, client: httpx.AsyncClient,
    session: AsyncSession,
) -> None:  # fmt: skip
    data = picture("jpeg", 8, 8)
    for reader, expected in ((client, 401), (viewer, 403)):
        answers = [
            await put(reader, film, data),
            await reader.delete(path_of(film)),
            await reader.get(f"{path_of(film)}/candidates"),
            await reader.get(f"{path_of(film)}/candidates/0"),
            await reader.put(f"{path_of(film)}/candidate", json={"number": 0}),
        ]
        assert {answer.status_code for answer in answers} == {expected}
    await session.execute(text("update video set deleted_at = now()"))
    await session.commit()
    answers = [
        await put(editor, film, data),
        await editor.delete(path_of(film)),
        await editor.get(f"{path_of(film)}/candidates"),
        await editor.get(f"{path_of(film)}/candidates/0"),
        await editor.put(f"{path_of(film)}/candidate", json={"number": 0}),
        await viewer.get(f"{path_of(film)}.jpg?w=320"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert await media_storage().keys("posters") == []


async def make_old(folder: str) -> None:
    """Older than what sweeps leave alone."""
    root = media_storage().folder
    assert root
    for key in await media_storage().keys(folder):
        age(root / key)


def age(file: Path) -> None:
    os.utime(file, (time.time() - 25 * 3600,) * 2)
