"""A change of what one may see reaches all that plays, on every replica, within a second."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple
from urllib.parse import urljoin

import httpx
import pytest
from sqlalchemy import text

from compat.playable import add_playable
from conftest import PASSWORD, forget_everything
from queue_helpers import execute
from removal import remove_all_rows
from videoflix.accounts.service import Accounts
from videoflix.memberships.schemas import Currency, MembershipCreate, PlanCreate
from videoflix.memberships.service import Memberships
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import alchemy, transaction
from videoflix.profiles.models import Profile
from videoflix.sessions.service.sessions import Sessions

REPLICAS = 2
SERVER = [sys.executable, "-m", "uvicorn", "videoflix.app:create_app", "--factory"]
# It takes milliseconds; the rest is for busy test machines.
WITHIN_SECONDS = 1.5
LEASE = "select coalesce(max(id), 0) from stream_lease where user_id = :id"


class Watching(NamedTuple):
    """Somebody who plays a film: their ids, and the addresses their player uses."""

    user: int
    video: int
    profile: int
    sign_in: int
    lease: int
    headers: dict[str, str]
    playlist: str
    segment: str
    segment_by_query: str
    movie: str
    pictures: list[str]

    @property
    def streams(self) -> list[str]:
        return [self.playlist, self.segment, self.segment_by_query, self.movie]


@pytest.fixture(scope="module")
def servers(database: None) -> Iterator[list[str]]:
    """Two API processes on the database of this run; where they listen."""
    with ExitStack() as stack:
        urls = []
        for _ in range(REPLICAS):
            with socket.create_server(("127.0.0.1", 0)) as bound:
                port = bound.getsockname()[1]
            command = [*SERVER, "--port", str(port), "--log-level", "warning"]
            process = subprocess.Popen(command, env=os.environ)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            urls.append(f"http://127.0.0.1:{port}")
        yield urls


@pytest.fixture(scope="module")
async def replicas(servers: list[str]) -> AsyncIterator[list[str]]:
    """Where they listen, once they do. Rows stay until the end: their numbers must not return."""
    async with httpx.AsyncClient() as client:
        for url in servers:
            await until_it_serves(client, url)
    yield servers
    forget_everything()
    await remove_all_rows()


async def until_it_serves(client: httpx.AsyncClient, url: str) -> None:
    for _ in range(1_200):
        try:
            if (await client.get(f"{url}/health/live")).status_code == 200:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.1)
    raise TimeoutError(url)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


async def watch(http: httpx.AsyncClient, url: str, role: Role = Role.VIEWER) -> Watching:
    """A new person with a membership and a second profile, who plays a new film."""
    name = f"p{time.monotonic_ns()}"
    async with transaction() as session:
        user = await Accounts(session).create_user(
            email=f"{name}@example.org", password=PASSWORD, role=role
        )
        pair = await Sessions(session).open(user)
        memberships = Memberships(session)
        plan = await memberships.add_plan(
            PlanCreate(name=name, price=1, currency=Currency.EUR, streams=2, max_height=720)
        )
        await memberships.add(MembershipCreate(user_id=user.id, plan_id=plan.id))
        profile = Profile(user_id=user.id, name="Second", max_age_rating=18)
        session.add_all([profile, Profile(user_id=user.id, name="First", is_first=True)])
        await session.flush()
    async with alchemy.get_session() as session:
        video = await add_playable(session, name)
    folder = f"assets/playable-{video}"
    await execute(
        "update media_rendition set file_key = :folder || '/' || name || '.mp4', file_bytes = 16"
        " where asset_id in (select id from media_asset where video_id = :video)"
        " and kind = 'video'",
        folder=folder, video=video,
    )  # fmt: skip
    await execute(
        "update media_asset set sprite_key = :key where video_id = :video",
        key=f"{folder}/360p.mp4", video=video,
    )  # fmt: skip
    await execute(
        "update video set poster = :key, audience = 'members' where id = :video",
        key=f"{folder}/120p.mp4", video=video,
    )  # fmt: skip
    sign_in = await value("select id from sign_in where user_id = :id", id=user.id)
    headers = {"Authorization": f"Bearer {pair.access}", "X-Profile": str(profile.id)}
    played = await http.post(f"{url}/api/v1/videos/{video}/play", headers=headers)
    assert played.status_code == 200, played.text
    master = played.json()["master_url"]
    answer = await http.get(urljoin(url, master))
    variants = [line for line in answer.text.splitlines() if not line.startswith("#")]
    playlist = urljoin(master, next(line for line in variants if "/360p/" in line))
    asset = await value("select id from media_asset where video_id = :id", id=video)
    listed = await http.get(f"{url}/api/v1/videos/{video}/files", headers=headers)
    assert listed.status_code == 200, listed.text
    files = listed.json()
    movie = files["movies"][0]["url"]
    by_query = f"/api/v1/videos/{video}/assets/{asset}/360p/00001.m4s?{master.partition('?')[2]}"
    return Watching(
        user=user.id,
        video=video,
        profile=profile.id,
        sign_in=sign_in,
        lease=await value(LEASE, id=user.id),
        headers=headers,
        playlist=playlist,
        segment=urljoin(playlist, "00000.m4s"),
        segment_by_query=by_query,
        movie=movie,
        pictures=[files["poster_url"], movie.replace("_360p.mp4", ".jpg")],
    )  # fmt: skip


async def value(query: str, **values: object) -> int:
    async with transaction() as session:
        return int((await session.execute(text(query), values)).scalar_one())


async def statuses(
    http: httpx.AsyncClient, replicas: list[str], paths: list[str], **sent: Any
) -> set[int]:
    answers = await asyncio.gather(
        *[http.get(urljoin(url, path), **sent) for url in replicas for path in paths]
    )
    return {answer.status_code for answer in answers}


async def all_become(
    status: int, http: httpx.AsyncClient, replicas: list[str], paths: list[str], **sent: Any
) -> None:
    """Every address answers this at every replica, a second from now at the latest."""
    until = time.monotonic() + WITHIN_SECONDS
    while (found := await statuses(http, replicas, paths, **sent)) != {status}:
        assert time.monotonic() < until, f"{found} instead of {status}"
        await asyncio.sleep(0.05)


HIDDEN, SIGNED_OUT, NO_MEMBERSHIP, ENDED = 404, 401, 403, 410
OF_FILM = "update video set {} where id = :video"
OF_MEMBERSHIP = "update membership set {} where user_id = :user"
CHANGES: dict[str, tuple[str, int]] = {
    "unpublished": (OF_FILM.format("published_at = null"), HIDDEN),
    "scheduled": (OF_FILM.format("published_at = now() + interval '1 hour'"), HIDDEN),
    "deleted": (OF_FILM.format("deleted_at = now()"), HIDDEN),
    "purged": ("delete from video where id = :video", HIDDEN),
    "rated higher": (OF_FILM.format("age_rating = 21"), HIDDEN),
    "private": (OF_FILM.format("audience = 'private'"), HIDDEN),
    "to be encoded again": (OF_FILM.format("playable = false"), HIDDEN),
    "profile limited": ("update profile set max_age_rating = -1 where id = :profile", HIDDEN),
    "profile deleted": ("delete from profile where id = :profile", HIDDEN),
    "membership cancelled": (OF_MEMBERSHIP.format("cancelled_at = now()"), HIDDEN),
    "membership over": (
        OF_MEMBERSHIP.format("starts_at = now() - interval '1 day', ends_at = now()"), HIDDEN,
    ),
    "membership runs out": (OF_MEMBERSHIP.format("ends_at = now() + interval '0.5 s'"), HIDDEN),
    "membership removed": ("delete from membership where user_id = :user", HIDDEN),
    "deactivated": ("update user_account set is_active = false where id = :user", SIGNED_OUT),
    "signed out": ("update sign_in set ended_at = now() where id = :sign_in", SIGNED_OUT),
    "sign-in deleted": ("delete from sign_in where id = :sign_in", SIGNED_OUT),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
async def test_change_stops_streams_on_every_replica(
    http: httpx.AsyncClient, replicas: list[str], change: str
) -> None:
    """Whichever way it is written: here by SQL, as no service would know of it."""
    watching = await watch(http, replicas[0])
    assert await statuses(http, replicas, [*watching.streams, *watching.pictures]) == {200}
    statement, status = CHANGES[change]
    ids = {
        "user": watching.user, "video": watching.video,
        "profile": watching.profile, "sign_in": watching.sign_in,
    }  # fmt: skip
    await execute(statement, **{key: one for key, one in ids.items() if f":{key}" in statement})
    await all_become(status, http, replicas, watching.streams)
    await all_become(status, http, replicas, watching.pictures)


async def test_membership_is_needed_for_films_for_everyone_too(
    http: httpx.AsyncClient, replicas: list[str]
) -> None:
    watching = await watch(http, replicas[0])
    await execute("update video set audience = 'everyone' where id = :id", id=watching.video)
    await execute(
        "update membership set cancelled_at = now() where user_id = :id", id=watching.user
    )
    await all_become(NO_MEMBERSHIP, http, replicas, watching.streams)


async def test_smaller_plan_takes_the_larger_pictures(
    http: httpx.AsyncClient, replicas: list[str]
) -> None:
    watching = await watch(http, replicas[0])
    larger = [watching.playlist, watching.segment, watching.segment_by_query]
    smallest = [path.replace("/360p/", "/120p/") for path in larger]
    assert await statuses(http, replicas, [*larger, *smallest]) == {200}
    await execute(
        "update plan set max_height = 120 from membership"
        " where plan.id = plan_id and user_id = :user",
        user=watching.user,
    )
    await all_become(HIDDEN, http, replicas, larger)
    await all_become(200, http, replicas, smallest)


async def test_editor_who_is_one_no_longer_loses_private_films(
    http: httpx.AsyncClient, replicas: list[str]
) -> None:
    watching = await watch(http, replicas[0], Role.EDITOR)
    await execute("update video set audience = 'private' where id = :id", id=watching.video)
    await all_become(200, http, replicas, watching.streams)
    await execute("update user_account set role = 'viewer' where id = :id", id=watching.user)
    await all_become(HIDDEN, http, replicas, watching.streams)


async def test_stream_that_ended_plays_no_more(
    http: httpx.AsyncClient, replicas: list[str]
) -> None:
    watching = await watch(http, replicas[0])
    hls = [watching.playlist, watching.segment, watching.segment_by_query]
    assert await statuses(http, replicas, hls) == {200}
    await execute("update stream_lease set ended_at = now() where id = :id", id=watching.lease)
    await all_become(ENDED, http, replicas, hls)


async def test_signing_out_ends_the_play_token(
    http: httpx.AsyncClient, replicas: list[str]
) -> None:
    watching = await watch(http, replicas[0])
    assert await statuses(http, replicas, watching.streams) == {200}
    url = f"{replicas[1]}/api/v1/auth/sessions/{watching.sign_in}"
    assert (await http.delete(url, headers=watching.headers)).status_code == 204
    await all_become(SIGNED_OUT, http, replicas, [*watching.streams, *watching.pictures])


async def test_players_that_send_a_header_are_stopped_too(
    http: httpx.AsyncClient, replicas: list[str]
) -> None:
    watching = await watch(http, replicas[0])
    path = [watching.segment_by_query.partition("?")[0]]
    assert await statuses(http, replicas, path, headers=watching.headers) == {200}
    await execute("update video set age_rating = 21 where id = :id", id=watching.video)
    await all_become(HIDDEN, http, replicas, path, headers=watching.headers)


async def test_what_is_allowed_again_plays_again(
    http: httpx.AsyncClient, replicas: list[str]
) -> None:
    watching = await watch(http, replicas[0])
    hide, show = OF_FILM.format("deleted_at = now()"), OF_FILM.format("deleted_at = null")
    await execute(hide, video=watching.video)
    await all_become(HIDDEN, http, replicas, watching.streams)
    await execute(show, video=watching.video)
    await all_become(200, http, replicas, watching.streams)
