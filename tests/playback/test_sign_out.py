"""What was signed for a sign-in plays nothing once it ended, in every process that hears of it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from litestar import Litestar

from compat.playable import add_playable
from conftest import sign_in
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.notify import event_bus
from videoflix.platform.postgres.session import alchemy
from videoflix.platform.storage.media_storage import media_storage

HEARD_SECONDS = 20.0


async def within(seconds: float, happened: Callable[[], Awaitable[bool]]) -> bool:
    """Whether it happens in so many seconds."""
    for _ in range(round(seconds / 0.05)):
        if await happened():
            return True
        await asyncio.sleep(0.05)
    return False


async def listens() -> bool:
    return event_bus.hears


@pytest.fixture
async def watching(
    committed: None, app: Litestar, client_without_rows: httpx.AsyncClient
) -> AsyncIterator[tuple[httpx.AsyncClient, list[str]]]:
    """Who watches, and what a player that has only a play token fetches."""
    async with alchemy.get_session() as session:
        film = await add_playable(session)
        viewer = await sign_in(app, session, Role.VIEWER)
    async with viewer, event_bus.listening():
        assert await within(HEARD_SECONDS, listens)
        master = (await viewer.post(f"/api/v1/videos/{film}/play")).json()["master_url"]
        text = (await client_without_rows.get(master)).text
        folder = master.partition("master.m3u8")[0]
        playlist = folder + re.findall(r"^play/\S+/index\.m3u8$", text, re.MULTILINE)[0]
        segment = playlist.replace("index.m3u8", "00000.m4s")
        yield viewer, [master, playlist, segment]
    await media_storage().delete_below("assets")


@pytest.fixture
async def client_without_rows(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A player that is not signed in, on real connections."""
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type] # narrower types of a scope
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("way", ["logout", "logout/all"])
async def test_a_play_token_does_not_outlive_its_sign_in(
    watching: tuple[httpx.AsyncClient, list[str]],
    client_without_rows: httpx.AsyncClient,
    way: str,
) -> None:
    viewer, addresses = watching
    player = client_without_rows
    for address in addresses:
        assert (await player.get(address)).status_code == 200
    assert (await viewer.post(f"/api/v1/auth/{way}")).status_code < 300

    async def refuses() -> bool:
        return (await player.get(addresses[0])).status_code != 200

    assert await within(HEARD_SECONDS, refuses)
    for address in addresses:
        refused = await player.get(address)
        assert (refused.status_code, refused.json()["type"]) == (401, "/problems/sign-in-needed")
