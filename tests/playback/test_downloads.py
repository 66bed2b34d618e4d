"""Films as plain files: an address is all that older players have."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from factories import AssetFactory, RenditionFactory, create
from videoflix.media.models import Asset, AssetState
from videoflix.media.storyboard import Layout
from videoflix.memberships.schemas import Currency, MembershipCreate, PlanCreate
from videoflix.memberships.service import Memberships
from videoflix.platform.auth.revocations import ended_streams, revocations
from videoflix.platform.postgres.notify import event_bus
from videoflix.platform.storage.media_storage import media_storage
from videoflix.playback.api.downloads import leases

FOLDER = "assets/plain"
SIZES = {"720p": (1280, 720), "360p": (640, 360), "120p": (214, 120)}


def content(name: str) -> bytes:
    return f"{name}:".encode() + bytes(range(256)) * 10


async def add_files(session: AsyncSession, video_id: int) -> Asset:
    """A complete film's MP4 files, storyboard and poster."""
    asset = await create(
        session,
        AssetFactory,
        video_id=video_id,
        state=AssetState.READY,
        folder=f"{FOLDER}/{video_id}",
        source_name="a.mp4",
        sprite_key=f"{FOLDER}/{video_id}/s/sprite.jpg",
        storyboard=msgspec.to_builtins(Layout(1, 100, 10, 320, 180, 99.5)),
    )
    for name, (width, height) in SIZES.items():
        key = f"{FOLDER}/{video_id}/p/{name}.mp4"
        await create(
            session,
            RenditionFactory,
            asset_id=asset.id,
            name=name,
            width=width,
            height=height,
            file_key=key,
            file_bytes=len(content(name)),
        )
        await store(key, content(name))
    await store(f"{FOLDER}/{video_id}/s/sprite.jpg", b"sprite")
    await store(f"{FOLDER}/{video_id}/q/poster.jpg", b"poster")
    await session.execute(
        text("update video set poster = :key where id = :id"),
        {"key": f"{FOLDER}/{video_id}/q/poster.jpg", "id": video_id},
    )
    await session.commit()
    return asset


async def store(key: str, data: bytes) -> None:
    async with media_storage().writing(key) as writer:
        await writer.write(data)


@pytest.fixture
async def film(session: AsyncSession) -> AsyncIterator[int]:
    (video_id,) = await add_films(session, {"title": "Clip"})
    await add_files(session, video_id)
    leases.clear()
    yield video_id
    await media_storage().delete_below(FOLDER)


async def links(client: httpx.AsyncClient, film: int) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/videos/{film}/files")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def address(client: httpx.AsyncClient, film: int) -> str:
    """The film's own address, as older front ends get it."""
    url: str = (await links(client, film))["movies"][0]["url"]
    return url.replace("_720p.mp4", ".mp4")


async def test_all_files_are_listed_and_fetched_without_a_header(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int
) -> None:
    found = await links(viewer, film)
    assert [(m["name"], m["width"], m["height"]) for m in found["movies"]] == [
        (name, *size) for name, size in SIZES.items()
    ]
    for movie in found["movies"]:
        answer = await client.get(movie["url"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
        assert answer.content == content(movie["name"])
        assert int(answer.headers["content-length"]) == movie["size"]
    poster = await client.get(found["poster_url"])
    assert (poster.content, poster.headers["content-type"]) == (b"poster", "image/jpeg")


async def test_storyboard_names_its_pictures(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int
) -> None:
    url = (await links(viewer, film))["storyboard_url"]
    vtt = await client.get(url)
    assert vtt.headers["content-type"].startswith("text/vtt")
    assert "01:01.000 --> 01:02.000" in vtt.text
    sprite = vtt.text.splitlines()[3]
    assert sprite.endswith("#xywh=0,0,320,180")
    picture = await client.get(str(httpx.URL(f"http://test{url}").join(sprite)))
    assert (picture.content, picture.headers["content-type"]) == (b"sprite", "image/jpeg")


@pytest.mark.parametrize(
    ("suffix", "served"),
    [
        ("", "720p"), ("_720p", "720p"), ("_hd720", "720p"), ("_1080p", "720p"),
        ("_hd1080", "720p"), ("_480p", "360p"), ("_hd360", "360p"), ("_360p", "360p"),
        ("_120p", "120p"), ("_50p", "120p"),
    ],
)  # fmt: skip
async def test_players_make_addresses_of_other_sizes(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int, suffix: str, served: str
) -> None:
    url = await address(viewer, film)
    assert url.partition("?")[0].count(".mp4") == 1
    answer = await client.get(url.replace(".mp4", f"{suffix}.mp4"))
    assert answer.content == content(served)


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-", 0, None),
        ("bytes=5-9", 5, 10),
        ("bytes=-7", -7, None),
        ("bytes=0-99999", 0, None),
    ],
)
async def test_players_jump_about(
    client: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    film: int,
    wanted: str,
    start: int,
    end: int | None,
) -> None:
    whole = content("720p")
    answer = await client.get(await address(viewer, film), headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (206, whole[start:end])
    first = start % len(whole)
    last = (len(whole) if end is None else end) - 1
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
    assert answer.headers["accept-ranges"] == "bytes"


async def test_ranges_that_are_none(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int
) -> None:
    url = await address(viewer, film)
    beyond = await client.get(url, headers={"Range": "bytes=99999-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */2565")
    for odd in ("bytes=9-5", "lines=1-2", "bytes=0-1,4-5", "bytes=-"):
        assert (await client.get(url, headers={"Range": odd})).status_code == 200
    head = await client.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "2565")
    tag = {"Range": "bytes=0-1", "If-Range": '"another file"'}
    assert (await client.get(url, headers=tag)).status_code == 200
    known = {"If-None-Match": head.headers["etag"]}
    assert (await client.get(url, headers=known)).status_code == 304


async def test_signature_is_for_one_film_and_cannot_be_made_up(
    client: httpx.AsyncClient, session: AsyncSession, viewer: httpx.AsyncClient, film: int
) -> None:
    url = await address(viewer, film)
    (other,) = await add_films(session, {"title": "Other"})
    await add_files(session, other)
    path, _, token = url.partition("?token=")
    numbers, _, signature = token.rpartition(".")
    for wrong in (
        url.replace(f"/{film}/", f"/{other}/"),
        path,
        f"{path}?token=",
        f"{path}?token=x",
        f"{path}?token={numbers}0.{signature}",
        f"{path}?token={token[:-2]}",
    ):
        assert (await client.get(wrong)).status_code == 401, wrong
    assert (await client.get(path.replace(".mp4", ".exe") + f"?token={token}")).status_code == 404


async def test_what_becomes_invisible_is_not_served(
    client: httpx.AsyncClient, session: AsyncSession, viewer: httpx.AsyncClient, film: int
) -> None:
    found = await links(viewer, film)
    await session.execute(text("update video set published_at = null"))
    await session.commit()
    for url in (found["movies"][0]["url"], found["poster_url"], found["storyboard_url"]):
        assert (await client.get(url)).status_code == 404


async def test_deleted_film_is_not_found_before_the_replica_is_notified(
    client: httpx.AsyncClient,
    session: AsyncSession,
    viewer: httpx.AsyncClient,
    film: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = await address(viewer, film)
    monkeypatch.setattr(event_bus, "hears", True)
    assert (await client.get(url)).status_code == 200
    await session.execute(text("delete from video where id = :id"), {"id": film})
    await session.commit()
    answer = await client.get(url)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/video-not-found")


async def test_signing_out_ends_the_addresses(
    client: httpx.AsyncClient, session: AsyncSession, viewer: httpx.AsyncClient, film: int
) -> None:
    url = await address(viewer, film)
    await viewer.post("/api/v1/auth/logout")
    revocations.add([(await session.execute(text("select id from sign_in"))).scalar_one()])
    assert (await client.get(url)).status_code == 401


async def test_switched_off_person_watches_no_more(
    client: httpx.AsyncClient, session: AsyncSession, viewer: httpx.AsyncClient, film: int
) -> None:
    url = await address(viewer, film)
    await session.execute(text("update user_account set is_active = false"))
    await session.commit()
    assert (await client.get(url)).status_code == 401


async def test_files_that_are_not_made_yet(
    client: httpx.AsyncClient, session: AsyncSession, viewer: httpx.AsyncClient, film: int
) -> None:
    url = await address(viewer, film)
    await session.execute(text("update media_rendition set file_key = null where name = '120p'"))
    await session.commit()
    assert (await links(viewer, film))["movies"] == []
    answer = await client.get(url)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/file-not-ready")


async def test_plan_limits_size_and_streams(
    client: httpx.AsyncClient, session: AsyncSession, viewer: httpx.AsyncClient, film: int
) -> None:
    memberships = Memberships(session)
    plan = await memberships.add_plan(
        PlanCreate(name="Small", price=500, currency=Currency.EUR, streams=1, max_height=360)
    )
    user_id = (await viewer.get("/api/v1/me")).json()["id"]
    await memberships.add(MembershipCreate(user_id=user_id, plan_id=plan.id))
    (other,) = await add_films(session, {"title": "Other"})
    await add_files(session, other)
    found = await links(viewer, film)
    assert [movie["name"] for movie in found["movies"]] == ["360p", "120p"]
    url = found["movies"][0]["url"].replace("_360p", "")
    assert (await client.get(url)).content == content("360p")
    assert (await client.get(url.replace(".mp4", "_1080p.mp4"))).content == content("360p")
    streams = (await viewer.get("/api/v1/streams")).json()
    assert [stream["video_id"] for stream in streams] == [film], "all fetches are one stream"
    second = (await links(viewer, other))["movies"][0]["url"]
    assert (await client.get(second)).status_code == 409
    await viewer.delete(f"/api/v1/streams/{streams[0]['id']}")
    ended_streams.add([streams[0]["id"]])
    assert (await client.get(url)).status_code == 410, "it was stopped"
    assert (await client.get(second)).status_code == 200
