"""Every kind of film by every kind of reader, on films whose files are really there.

A film without files answers 404 to everybody; so each refusal here stands beside the same
request that is let in.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from compat.playable import add_playable
from conftest import forget_everything, http_client, sign_in
from videoflix.memberships.schemas import Currency, PlanCreate
from videoflix.memberships.service import Memberships
from videoflix.platform.auth.identity import Role
from videoflix.platform.storage.media_storage import media_storage
from videoflix.sessions.service import sessions as service
from videoflix.settings import settings

EVERYBODY = {"guest", "viewer", "child", "editor", "admin"}
STAFF = {"editor", "admin"}
# How a film is made what it is, and who may see it.
FILMS: dict[str, tuple[str, set[str]]] = {
    "public": ("title = title", EVERYBODY),
    "members": ("audience = 'members'", EVERYBODY - {"guest"}),
    "private": ("audience = 'private'", STAFF),
    "rated 16": ("age_rating = 16", EVERYBODY - {"child"}),
    "draft": ("published_at = null", STAFF),
    "scheduled": ("published_at = now() + interval '1 hour'", STAFF),
    "deleted": ("deleted_at = now()", set()),
}
DIGEST = "0" * 32
ROUTES = (
    "GET /videos/{film}",
    "GET /videos/by-slug/{slug}",
    "GET /videos/{film}/related",
    "GET /videos/{film}/files",
    "GET /videos/{film}/subtitles/en.vtt",
    f"GET /videos/{{film}}/subtitles/en/{DIGEST}/15/index.m3u8",
    f"GET /videos/{{film}}/subtitles/en/{DIGEST}/15/00000.vtt",
    "GET /videos/{film}/vote",
    "GET /videos/{film}/master.m3u8",
    "GET /videos/{film}/manifest.mpd",
    "GET /videos/{film}/assets/{asset}/360p/iframes.m3u8",
    "GET /videos/{film}/assets/{asset}/360p/index.m3u8",
    "GET /videos/{film}/assets/{asset}/360p/init-0.mp4",
    "GET /videos/{film}/assets/{asset}/360p/00001.m4s",
    "GET /videos/{film}/assets/{asset}/audio/00000.m4s",
    "GET /videos/{film}/poster.jpg",
    "GET /videos/{film}/poster.jpg?w=320",
    "GET /videos/{film}/preview.webp",
    "GET /videos/{film}/chapters",
    "GET /videos/{film}/chapters.vtt",
    "GET /videos/{film}/chapters.json",
    "POST /videos/{film}/play",
)
# Posters of films for everyone are shown to people who are not signed in, too.
POSTER = "GET /videos/{film}/poster.jpg"


class Film(msgspec.Struct):
    id: int
    asset: int
    slug: str


@pytest.fixture
async def readers(
    app: Litestar, session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """One client a kind of reader; the child is a profile of the viewer's account."""
    monkeypatch.setattr(service, "settings", msgspec.structs.replace(settings, guest_login=True))
    async with AsyncExitStack() as stack:
        found = {"anonymous": await stack.enter_async_context(http_client(app))}
        for role in (Role.VIEWER, Role.EDITOR, Role.ADMIN):
            found[role.value] = await stack.enter_async_context(await sign_in(app, session, role))
        pair = (await found["anonymous"].post("/api/v1/auth/guest")).json()
        bearer = {"Authorization": f"Bearer {pair['access']}"}
        found["guest"] = await stack.enter_async_context(http_client(app, bearer))
        kid = await found["viewer"].post(
            "/api/v1/me/profiles", json={"name": "Kid", "max_age_rating": 12}
        )
        headers = {
            "Authorization": found["viewer"].headers["Authorization"],
            "X-Profile": str(kid.json()["id"]),
        }
        found["child"] = await stack.enter_async_context(http_client(app, headers))
        yield found


@pytest.fixture
async def films(
    session: AsyncSession, readers: dict[str, httpx.AsyncClient]
) -> AsyncIterator[dict[str, Film]]:
    made = {}
    for kind, (change, _) in FILMS.items():
        film = await add_playable(session, kind)
        subtitles = f"/api/v1/videos/{film}/subtitles/en"
        vtt = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"
        form = {"data": ("en.vtt", vtt, "text/vtt")}
        assert (await readers["editor"].put(subtitles, files=form)).status_code == 204
        asset = (
            await session.execute(
                text("select id, folder from media_asset where video_id = :film"), {"film": film}
            )
        ).one()
        for name in ("poster.jpg", "preview.webp"):
            async with media_storage().writing(f"{asset.folder}/{name}") as writer:
                await writer.write(b"picture")
        slug = await session.scalar(
            text(
                f"update video set poster = :poster, preview = :preview, {change}"
                " where id = :film returning slug"
            ),
            {
                "poster": f"{asset.folder}/poster.jpg",
                "preview": f"{asset.folder}/preview.webp",
                "film": film,
            },
        )
        made[kind] = Film(film, asset.id, slug or "")
    await session.commit()
    session.expire_all()
    yield made
    for asset in (await session.scalars(text("select folder from media_asset"))).all():
        await media_storage().delete_below(asset)


async def ask(reader: httpx.AsyncClient, route: str, film: Film) -> httpx.Response:
    method, path = route.split()
    path = path.format(film=film.id, asset=film.asset, slug=film.slug)
    return await reader.request(method, f"/api/v1{path}")


@pytest.mark.parametrize("route", ROUTES)
async def test_films_are_for_whom_they_are_meant(
    readers: dict[str, httpx.AsyncClient], films: dict[str, Film], route: str
) -> None:
    wrong = []
    for kind, (_, meant) in FILMS.items():
        for name, reader in readers.items():
            answer = await ask(reader, route, films[kind])
            expected = 200 if name in meant else 404
            if name == "anonymous":
                expected = 401
                if route.startswith((POSTER, "GET /videos/{film}/preview.webp")):
                    expected = 200 if kind in {"public", "rated 16"} else 404
            if answer.status_code != expected:
                wrong.append(f"{kind} film, {name}: {answer.status_code}, not {expected}")
    assert not wrong, "\n".join(wrong)


async def test_lists_name_only_what_their_reader_may_see(
    readers: dict[str, httpx.AsyncClient], films: dict[str, Film]
) -> None:
    for name, reader in readers.items():
        if name == "anonymous":
            continue
        for path in ("/videos", "/videos/newest"):
            answer = (await reader.get(f"/api/v1{path}")).json()
            shown = {film["title"] for film in answer.get("items", answer)}
            meant = {kind for kind, (_, whom) in FILMS.items() if name in whom}
            assert shown <= meant, f"{name} in {path}"
            if path == "/videos":
                assert shown == meant, name


async def test_play_token_of_one_film_opens_no_other(
    readers: dict[str, httpx.AsyncClient], films: dict[str, Film]
) -> None:
    opened = (await readers["viewer"].post(f"/api/v1/videos/{films['public'].id}/play")).json()
    master = opened["master_url"]
    assert (await readers["anonymous"].get(master)).status_code == 200
    for kind in ("members", "private", "draft"):
        other = master.replace(f"/videos/{films['public'].id}/", f"/videos/{films[kind].id}/")
        assert other != master
        answer = await readers["anonymous"].get(other)
        assert answer.status_code in {401, 404}, kind


@pytest.mark.parametrize(
    "route",
    [
        route
        for route in ROUTES
        if any(word in route for word in ("master", "index", "play", "mani", "ifr"))
    ],
)
async def test_watching_needs_a_membership_once_there_is_a_plan(
    session: AsyncSession,
    readers: dict[str, httpx.AsyncClient],
    films: dict[str, Film],
    route: str,
) -> None:
    assert (await ask(readers["viewer"], route, films["public"])).status_code == 200
    await Memberships(session).add_plan(
        PlanCreate(name="Basic", price=100, currency=Currency.EUR, streams=1)
    )
    await session.commit()
    forget_everything()  # a rolled-back test hears no NOTIFY
    for name, expected in (("viewer", 403), ("child", 403), ("editor", 200)):
        answer = await ask(readers[name], route, films["public"])
        assert answer.status_code == expected, f"{name}: {answer.text}"
