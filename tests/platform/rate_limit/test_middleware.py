"""Limits over HTTP: strangers by address, people by themselves, players not at all."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar

from conftest import PASSWORD, app_with
from journeys.conftest import free_port, stop, wait_until_ready
from videoflix.accounts.service import Accounts
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import transaction
from videoflix.platform.rate_limit import middleware
from videoflix.platform.rate_limit.batching import BatchedLimiter
from videoflix.platform.rate_limit.local_buckets import LocalBuckets, RateLimit
from videoflix.setting_types import Rate
from videoflix.settings import read_settings, settings

LIST = "/api/v1/videos"
ME = "/api/v1/me"
From = Callable[..., httpx.AsyncClient]


@pytest.fixture
def limited(committed: None, monkeypatch: pytest.MonkeyPatch) -> Litestar:
    """The application with limits that a test can reach."""
    limits = {
        "throttle_anon": Rate("5/min"),
        "throttle_user": Rate("8/min"),
        "throttle_upload": Rate("2/hour"),
        "cors_origins": "https://films.example",
    }
    monkeypatch.setattr(middleware, "settings", msgspec.structs.replace(settings, **limits))
    monkeypatch.setattr(middleware, "limiter", BatchedLimiter())
    return app_with(**limits)


@pytest.fixture
async def from_address(limited: Litestar) -> AsyncIterator[From]:
    """Clients at chosen addresses, with chosen headers."""
    asgi: Any = limited
    async with AsyncExitStack() as stack:

        def client_at(address: str, **headers: str) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(asgi, client=(address, 5))
            client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)
            stack.push_async_callback(client.aclose)
            return client

        yield client_at


async def token_of(client: httpx.AsyncClient, role: Role = Role.VIEWER) -> str:
    email = f"{role}@example.org"
    async with transaction() as session:
        await Accounts(session).create_user(email=email, password=PASSWORD, role=role)
    body = {"email": email, "password": PASSWORD}
    token: str = (await client.post("/api/v1/auth/token", json=body)).json()["access"]
    return token


async def statuses(client: httpx.AsyncClient, count: int, path: str = ME) -> list[int]:
    return [(await client.get(path)).status_code for _ in range(count)]


async def test_strangers_are_counted_by_address(from_address: From) -> None:
    client = from_address("203.0.113.1")
    answer = await client.get(LIST)
    assert answer.headers["ratelimit-limit"] == "5"
    assert answer.headers["ratelimit-remaining"] == "4"
    assert answer.headers["ratelimit-reset"] == "12"
    assert await statuses(client, 5) == [401] * 4 + [429]
    refused = await client.get(LIST, headers={"Origin": "https://films.example"})
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == "/problems/too-many-requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 12
    assert refused.headers["ratelimit-remaining"] == "0"
    assert refused.headers["access-control-allow-origin"] == "https://films.example"
    assert await statuses(from_address("203.0.113.2"), 1) == [401]


async def test_tokens_that_are_no_good_count_for_the_address(from_address: From) -> None:
    client = from_address("203.0.113.1", authorization="Bearer vf_invented")
    assert await statuses(client, 3) == [401] * 3
    client.headers["authorization"] = "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"
    assert await statuses(client, 3) == [401, 401, 429]


async def test_people_are_counted_wherever_they_are(from_address: From) -> None:
    token = await token_of(from_address("203.0.113.1"))
    here, there = [
        from_address(f"198.51.100.{number}", authorization=f"Bearer {token}") for number in (1, 2)
    ]
    assert await statuses(here, 4) == [200] * 4
    assert await statuses(there, 5) == [200] * 4 + [429]
    assert await statuses(from_address("198.51.100.1"), 1) == [401], "the address is not used up"


async def test_api_tokens_count_for_their_person(from_address: From) -> None:
    token = await token_of(from_address("203.0.113.1"))
    person = from_address("198.51.100.1", authorization=f"Bearer {token}")
    made = await person.post(f"{ME}/tokens", json={"name": "script", "scope": "read", "days": 1})
    script = from_address("198.51.100.2", authorization=f"Bearer {made.json()['token']}")
    first = await script.get(LIST)
    assert (first.status_code, first.headers["ratelimit-limit"]) == (200, "5"), "not known yet"
    assert (await script.get(LIST)).headers["ratelimit-remaining"] == "6"


async def test_players_pages_and_probes_are_not_counted(from_address: From) -> None:
    client = from_address("203.0.113.1")
    paths = ["/health/live", "/", "/assets/app.js", f"{LIST}/1/master.m3u8"]
    paths += [f"{LIST}/1/assets/1/720p/00000.m4s", f"{LIST}/1/poster.jpg"]
    for path in paths * 2:
        answer = await client.get(path)
        assert answer.status_code != 429
        assert "ratelimit-limit" not in answer.headers
    assert (await client.get(LIST)).headers["ratelimit-remaining"] == "4"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"{LIST}/1/assets/1/720p/00000.m4s?token=invented", {}),
        (f"{LIST}/1/poster.jpg", {}),
        ("/assets/nothing.js", {}),
        ("/metrics", {}),
        ("/health/details", {}),
        ("/health/live", {"Authorization": f"Bearer vf_{'x' * 40}"}),
        ("/", {"Authorization": f"Token {'a' * 40}"}),
    ],
)
async def test_failures_are_limited_everywhere(
    from_address: From, monkeypatch: pytest.MonkeyPatch, path: str, headers: dict[str, str]
) -> None:
    """In memory: who invents tokens or names must not cause work for ever."""
    monkeypatch.setattr(middleware, "FAILURES", RateLimit("failures", 10, 60))
    monkeypatch.setattr(middleware, "failures", LocalBuckets(100))
    stranger, other = from_address("203.0.113.1"), from_address("203.0.113.2")
    answers = [await stranger.get(path, headers=headers) for _ in range(15)]
    assert [answer.status_code for answer in answers[10:]] == [429] * 5
    assert int(answers[-1].headers["retry-after"]) > 0
    assert (await other.get("/health/live")).status_code == 200
    assert (await stranger.get("/health/live")).status_code == 429


async def test_uploads_have_a_limit_of_their_own(from_address: From) -> None:
    token = await token_of(from_address("203.0.113.1"), Role.EDITOR)
    editor = from_address("198.51.100.1", authorization=f"Bearer {token}")
    answers = [await editor.post(LIST, json={"title": f"Film {n}"}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert int(answers[-1].headers["retry-after"]) > 1_000
    assert await statuses(editor, 1) == [200]


def test_limits_are_documented(app: Litestar) -> None:
    paths = app.openapi_schema.to_schema()["paths"]
    assert "too-many-requests" in paths[LIST]["get"]["responses"]["429"]["description"]
    assert "429" not in paths["/health/live"]["get"]["responses"]
    assert "429" not in paths[f"{LIST}/{{video_id}}/poster.jpg"]["get"]["responses"]


@pytest.mark.parametrize("rate", ["", "sixty", "0/min", "60/fortnight", "-1/s", "60"])
def test_wrong_rates_are_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="expected a rate like 60/min"):
        Rate(rate)


def test_wrong_rate_in_the_environment_is_named() -> None:
    with pytest.raises(SystemExit, match="THROTTLE_USER is wrong: expected a rate"):
        read_settings({"THROTTLE_USER": "fast"})


@pytest.fixture
def two_servers(committed: None) -> Iterator[list[str]]:
    """Two API processes on one database."""
    ports = [free_port(), free_port()]
    environment = os.environ | {"THROTTLE_ANON": "30/hour", "TRUSTED_PROXIES": "127.0.0.1"}
    server = [sys.executable, "-m", "uvicorn", "videoflix.app:create_app", "--factory"]
    server += ["--no-proxy-headers", "--log-level", "warning"]
    with ExitStack() as stack:
        for port in ports:
            process = subprocess.Popen([*server, "--port", str(port)], env=environment)
            stack.callback(stop, process)
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        for url in urls:
            wait_until_ready(url, "/health/live")
        yield urls


@pytest.mark.journey
async def test_two_processes_share_a_limit(two_servers: list[str]) -> None:
    async with httpx.AsyncClient() as client:

        async def ask(number: int, visitor: str) -> int:
            headers = {"X-Forwarded-For": visitor}
            return (await client.get(two_servers[number % 2] + ME, headers=headers)).status_code

        one_by_one = [await ask(number, "203.0.113.1") for number in range(40)]
        assert one_by_one == [401] * 30 + [429] * 10
        both = await asyncio.gather(*[ask(number, "203.0.113.2") for number in range(60)])
        assert sorted(both) == [401] * 30 + [429] * 30
