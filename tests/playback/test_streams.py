"""Streams at once: never more than the membership allows, and free again without anybody's help."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from catalog.factories import add_films
from conftest import PASSWORD, http_client
from queue_helpers import execute, rows
from videoflix.accounts.service import Accounts
from videoflix.memberships.schemas import Currency, MembershipCreate, PlanCreate
from videoflix.memberships.service import Memberships
from videoflix.platform.auth.revocations import ended_streams
from videoflix.platform.postgres.session import alchemy, transaction
from videoflix.platform.queue import BatchFailed
from videoflix.playback.jobs import CLOSED_AT_ONCE, close_all_expired
from videoflix.playback.service.streams import heartbeats
from videoflix.sessions.service.sessions import Sessions
from videoflix.settings import settings

STREAMS = "/api/v1/streams"
MANY_MORE = """
insert into stream_lease
    (user_id, video_id, sign_in_id, plan_id, device, seen_at, created_at, updated_at)
select user_id, video_id, sign_in_id, plan_id, device, seen_at, created_at, updated_at
from stream_lease, generate_series(1, :count) where id = :id
"""
BAD_LEASE = """
create function refuse_bad_lease() returns trigger language plpgsql as
$$ begin if new.id = {id} then raise 'no'; end if; return new; end $$
"""
REFUSE_BAD_LEASE = """
create trigger refuse_bad_lease before update on stream_lease
for each row execute function refuse_bad_lease()
"""
SILENCE = "update stream_lease set seen_at = seen_at - interval '91 seconds'"


@pytest.fixture
async def films(session: AsyncSession) -> list[int]:
    return await add_films(session, *({"title": f"Film {n}"} for n in range(3)))


async def make_member(session: AsyncSession, user_id: int, streams: int) -> None:
    memberships = Memberships(session)
    plan = await memberships.add_plan(
        PlanCreate(name=f"P{user_id}", price=100, currency=Currency.EUR, streams=streams)
    )
    await memberships.add(MembershipCreate(user_id=user_id, plan_id=plan.id))
    await session.commit()


@pytest.fixture
async def member(session: AsyncSession, viewer: httpx.AsyncClient) -> httpx.AsyncClient:
    """A viewer who may have two streams at once."""
    await make_member(session, (await viewer.get("/api/v1/me")).json()["id"], 2)
    heartbeats._seen.clear()
    ended_streams._until.clear()
    return viewer


async def start(
    client: httpx.AsyncClient, film: int, device: str = "TV", key: str = ""
) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    body = {"video_id": film, "device": device}
    return await client.post(STREAMS, json=body, headers=headers)


async def test_stream_has_a_lease_and_addresses(
    films: list[int], member: httpx.AsyncClient
) -> None:
    started = await start(member, films[0], "Living room")
    assert started.status_code == 201
    lease = started.json()
    assert lease["heartbeat_seconds"] == 30
    assert f"/videos/{films[0]}/master.m3u8?token=" in lease["playback"]["master_url"]
    (mine,) = (await member.get(STREAMS)).json()
    assert (mine["id"], mine["device"], mine["title"]) == (lease["id"], "Living room", "Film 0")
    beat = await member.put(f"{STREAMS}/{lease['id']}")
    assert beat.json()["expires_at"] >= lease["expires_at"]
    assert (await member.delete(f"{STREAMS}/{lease['id']}")).status_code == 204
    assert (await member.delete(f"{STREAMS}/{lease['id']}")).status_code == 204, "once is enough"
    assert (await member.get(STREAMS)).json() == []
    ended = await member.put(f"{STREAMS}/{lease['id']}")
    assert (ended.status_code, ended.json()["type"]) == (410, "/problems/stream-ended")


async def test_refusal_lists_what_runs_and_how_to_stop_it(
    films: list[int], member: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    first = (await start(member, films[0], "TV")).json()
    await start(member, films[1], "Phone")
    refused = await start(member, films[2], "Tablet")
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["type"] == "/problems/stream-limit-reached"
    assert (problem["limit"], [one["device"] for one in problem["streams"]]) == (2, ["TV", "Phone"])
    token = problem["streams"][0]["stop_token"]
    other = f"{STREAMS}/{first['id'] + 1}"
    assert (await client.delete(other, params={"token": token})).status_code == 404
    stopped = await client.delete(f"{STREAMS}/{first['id']}", params={"token": token})
    assert stopped.status_code == 204, "even by a device that is signed out"
    assert (await start(member, films[2], "Tablet")).status_code == 201


async def test_silent_player_frees_its_place_with_nobody_helping(
    films: list[int], member: httpx.AsyncClient, session: AsyncSession
) -> None:
    lease = (await start(member, films[0])).json()
    await start(member, films[1])
    assert (await start(member, films[2])).status_code == 409
    await session.execute(text(SILENCE))
    await session.commit()
    assert (await member.get(STREAMS)).json() == []
    assert (await start(member, films[2])).status_code == 201
    assert (await member.put(f"{STREAMS}/{lease['id']}")).status_code == 410
    assert await close_all_expired() == 2


async def test_silent_streams_are_closed_in_batches_and_one_that_fails_stays(
    films: list[int], member: httpx.AsyncClient, session: AsyncSession
) -> None:
    lease = (await start(member, films[0])).json()
    await session.execute(text(MANY_MORE), {"id": lease["id"], "count": 2 * CLOSED_AT_ONCE})
    await session.execute(text(SILENCE))
    await session.execute(text(BAD_LEASE.format(id=lease["id"])))
    await session.execute(text(REFUSE_BAD_LEASE))
    await session.commit()
    with pytest.raises(BatchFailed):
        await close_all_expired()
    counted = text(
        "select count(*), count(distinct xmin::text) from stream_lease where ended_at is not null"
    )
    closed, transactions = (await session.execute(counted)).one()
    assert closed == 2 * CLOSED_AT_ONCE
    # The batch of the one that fails is worked on one by one, the other ones together.
    assert transactions <= CLOSED_AT_ONCE + 1
    await session.execute(text("drop trigger refuse_bad_lease on stream_lease"))
    assert await close_all_expired() == 1


async def test_ended_stream_plays_no_more(
    films: list[int], member: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    lease = (await start(member, films[0])).json()
    url = lease["playback"]["master_url"]
    assert (await client.get(url)).json()["type"] == "/problems/not-playable-yet", "no file here"
    await member.delete(f"{STREAMS}/{lease['id']}")
    ended_streams.add([lease["id"]])  # what NOTIFY says after a real commit
    assert (await client.get(url)).status_code == 410


async def test_fetching_is_a_heartbeat_and_silence_ends_the_address(
    films: list[int], member: httpx.AsyncClient, client: httpx.AsyncClient, session: AsyncSession
) -> None:
    lease = (await start(member, films[0])).json()
    await session.execute(text("update stream_lease set seen_at = seen_at - interval '80 s'"))
    await session.commit()
    await client.get(lease["playback"]["master_url"])
    age = await session.scalar(text("select now() - seen_at < interval '5 s' from stream_lease"))
    assert age is True
    await session.execute(text(SILENCE))
    await session.commit()
    heartbeats._seen.clear()
    assert (await client.get(lease["playback"]["master_url"])).status_code == 410


async def test_simple_players_are_limited_too(films: list[int], member: httpx.AsyncClient) -> None:
    for _ in range(3):  # the same page again is the same stream
        assert (await member.post(f"/api/v1/videos/{films[0]}/play")).status_code == 200
    assert len((await member.get(STREAMS)).json()) == 1
    assert (await member.post(f"/api/v1/videos/{films[1]}/play")).status_code == 200
    refused = await member.post(f"/api/v1/videos/{films[2]}/play")
    assert refused.json()["type"] == "/problems/stream-limit-reached"


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("starts_at = now() + interval '1 day'", "membership-not-started"),
        ("starts_at = now() - interval '9 days', ends_at = now()", "membership-expired"),
        ("cancelled_at = now()", "membership-cancelled"),
    ],
)
async def test_membership_that_does_not_run_says_why(
    films: list[int],
    member: httpx.AsyncClient,
    session: AsyncSession,
    change: str,
    kind: str,
) -> None:
    await session.execute(text(f"update membership set {change}"))
    await session.commit()
    for refused in (
        await start(member, films[0]),
        await member.post(f"/api/v1/videos/{films[0]}/play"),
    ):
        assert (refused.status_code, refused.json()["type"]) == (403, f"/problems/{kind}")


async def test_with_plans_watching_needs_a_membership(
    films: list[int], member: httpx.AsyncClient, session: AsyncSession, editor: httpx.AsyncClient
) -> None:
    await session.execute(text("delete from membership"))
    await session.commit()
    assert (await start(member, films[0])).json()["type"] == "/problems/membership-needed"
    assert (await start(editor, films[0])).status_code == 201, "editors look at what they edit"


async def test_without_plans_nothing_is_limited(
    films: list[int], viewer: httpx.AsyncClient
) -> None:
    for _ in range(5):
        assert (await start(viewer, films[0])).status_code == 201
    mine = (await viewer.get("/api/v1/me/membership")).json()
    assert mine == {"membership": None, "streams": None, "streams_in_use": 5}


async def test_nobody_touches_the_streams_of_others(
    films: list[int],
    member: httpx.AsyncClient,
    editor: httpx.AsyncClient,
    admin: httpx.AsyncClient,
) -> None:
    lease = (await start(member, films[0])).json()
    path = f"{STREAMS}/{lease['id']}"
    assert (await editor.delete(path)).status_code == 404
    assert (await editor.put(path)).status_code == 404
    assert (await editor.get(f"{STREAMS}/everybody")).status_code == 403
    (seen,) = (await admin.get(f"{STREAMS}/everybody")).json()
    assert (seen["id"], seen["email"]) == (lease["id"], "viewer@example.org")


async def test_repeated_request_is_answered_alike(
    films: list[int], member: httpx.AsyncClient
) -> None:
    answers = [await start(member, films[0], "TV", key="abc") for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert len((await member.get(STREAMS)).json()) == 1
    other = await start(member, films[1], "TV", key="abc")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/key-reused")


async def test_key_of_one_profile_opens_nothing_for_another(
    session: AsyncSession, member: httpx.AsyncClient
) -> None:
    (film,) = await add_films(session, {"title": "For adults", "age_rating": 18})
    child = await member.post("/api/v1/me/profiles", json={"name": "Kid", "max_age_rating": 6})
    assert child.status_code == 201, child.text
    assert (await start(member, film, key="night")).status_code == 201
    member.headers["X-Profile"] = str(child.json()["id"])
    again = await start(member, film, key="night")
    assert (again.status_code, again.json()["type"]) == (422, "/problems/key-reused")


async def test_clock_of_the_application_is_not_asked(
    films: list[int], member: httpx.AsyncClient, session: AsyncSession
) -> None:
    await start(member, films[0])
    same = await session.scalar(text("select created_at = seen_at from stream_lease"))
    assert same is True


async def test_signed_in_players_without_a_play_token_hold_leases_too(
    films: list[int], member: httpx.AsyncClient
) -> None:
    for film in films[:2]:
        answer = await member.get(f"/api/v1/videos/{film}/master.m3u8")
        assert answer.status_code == 409, "there is no file, but it was no refusal of the stream"
        assert answer.json()["type"] == "/problems/not-playable-yet"
    assert len((await member.get(STREAMS)).json()) == 2
    third = await member.get(f"/api/v1/videos/{films[2]}/master.m3u8")
    assert third.json()["type"] == "/problems/stream-limit-reached"


async def test_without_a_membership_nothing_plays_by_signing_in_alone(
    app: Litestar, session: AsyncSession, films: list[int], member: httpx.AsyncClient
) -> None:
    user = await Accounts(session).create_user(email="new@example.org", password=PASSWORD)
    pair = await Sessions(session).open(user)
    await session.commit()
    async with http_client(app, {"Authorization": f"Bearer {pair.access}"}) as other:
        answer = await other.get(f"/api/v1/videos/{films[0]}/master.m3u8")
        assert answer.json()["type"] == "/problems/membership-needed"


@pytest.fixture
async def crowd(committed: None, app: Litestar) -> AsyncIterator[tuple[httpx.AsyncClient, int]]:
    """A member who may have three streams, on real connections, and a film."""
    pool = create_async_engine(settings.sqlalchemy_url, pool_size=20, max_overflow=0)
    alchemy.session_maker = async_sessionmaker(pool, expire_on_commit=False)
    async with transaction() as session:
        (film,) = await add_films(session, {"title": "Film"})
    async with transaction() as session:
        user = await Accounts(session).create_user(email="m@example.org", password=PASSWORD)
        pair = await Sessions(session).open(user)
    async with transaction() as session:
        await make_member(session, user.id, 3)
    async with http_client(app, {"Authorization": f"Bearer {pair.access}"}) as client:
        yield client, film
    alchemy.session_maker = None
    await pool.dispose()


async def test_two_hundred_starts_at_once_admit_exactly_the_limit(
    crowd: tuple[httpx.AsyncClient, int],
) -> None:
    client, film = crowd
    answers = await asyncio.gather(*[start(client, film, f"D{n}") for n in range(200)])
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(409)) == (3, 197)
    assert len(await rows("select id from stream_lease")) == 3


async def test_account_closes_while_streams_are_stopped(
    crowd: tuple[httpx.AsyncClient, int], app: Litestar
) -> None:
    client, film = crowd
    await execute("update plan set streams = 12")
    leases = [(await start(client, film, f"D{n}")).json()["id"] for n in range(12)]
    stops = [client.delete(f"{STREAMS}/{lease}") for lease in leases]
    leaving = client.request("DELETE", "/api/v1/me", json={"password": PASSWORD})
    *stopped, gone = await asyncio.gather(*stops[:6], leaving, *stops[6:])
    statuses = {answer.status_code for answer in [*stopped, gone]}
    assert statuses <= {204, 401, 404}
    assert await rows("select id from stream_lease") == []


async def test_fifty_repetitions_at_once_make_one_lease(
    crowd: tuple[httpx.AsyncClient, int],
) -> None:
    client, film = crowd
    answers = await asyncio.gather(*[start(client, film, "TV", "same") for _ in range(50)])
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await rows("select id from stream_lease")) == 1


async def test_any_mixture_stays_within_the_limit(crowd: tuple[httpx.AsyncClient, int]) -> None:
    """Starts, stops, silence and other plans, all at once; the limit holds at every look."""
    client, film = crowd
    query = (
        "select count(*) as n from stream_lease where ended_at is null"
        " and seen_at > now() - interval '90 seconds'"
    )
    seen: list[int] = []

    async def keep_looking() -> None:
        while True:
            seen.append((await rows(query))[0]["n"])

    async def live(number: int) -> None:
        for _ in range(6):
            started = await start(client, film, f"D{number}")
            if started.status_code == 201 and number % 3:
                await client.delete(f"{STREAMS}/{started.json()['id']}")

    looking = asyncio.create_task(keep_looking())
    await asyncio.gather(*[live(number) for number in range(20)])
    await execute(SILENCE)
    await asyncio.gather(*[live(number) for number in range(20)])
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert max(seen) == 3
    used: Any = (await client.get("/api/v1/me/membership")).json()
    assert used["streams_in_use"] <= 3
