"""Which answers pages of other sites may read."""

import httpx
import pytest

from conftest import app_with, http_client

ORIGIN = {"Origin": "https://player.example"}
ALLOW_ORIGIN = "access-control-allow-origin"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/videos/1/master.m3u8?token=x",
        "/api/v1/videos/1/play/x/assets/1/360p/index.m3u8",
        "/api/v1/videos/1/play/x/assets/1/360p/00000.m4s",
        "/api/v1/videos/1/files/a.mp4?token=x",
    ],
)
async def test_urls_with_a_token_are_readable_by_every_site(
    client: httpx.AsyncClient, path: str
) -> None:
    for method in ("GET", "HEAD"):
        answer = await client.request(method, path, headers=ORIGIN)
        assert (answer.status_code, answer.headers[ALLOW_ORIGIN]) == (401, "*")
        assert "access-control-allow-credentials" not in answer.headers
        assert "content-range" in answer.headers["access-control-expose-headers"]
    asked = {**ORIGIN, "Access-Control-Request-Method": "GET"}
    preflight = await client.options(path, headers=asked)
    assert (preflight.status_code, preflight.headers[ALLOW_ORIGIN]) == (204, "*")
    assert "range" in preflight.headers["access-control-allow-headers"]


async def test_listed_front_ends_may_send_cookies_and_others_may_not(database: None) -> None:
    listed = {"Origin": "https://films.example"}
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
    async with http_client(app_with(cors_origins="https://films.example")) as client:
        for path in (
            "/api/v1/videos/1/master.m3u8?token=x",
            "/api/v1/videos/1/play/x/assets/1/360p/00000.m4s",
        ):
            for origin, allowed, credentials in (
                (ORIGIN, "*", None),
                (listed, listed["Origin"], "true"),
            ):
                preflight = await client.options(path, headers=origin | asked)
                answer = await client.get(path, headers=origin)
                assert (preflight.status_code, answer.status_code) == (204, 401)
                assert "range" in preflight.headers["access-control-allow-headers"]
                assert "content-range" in answer.headers["access-control-expose-headers"]
                for headers in (preflight.headers, answer.headers):
                    assert headers[ALLOW_ORIGIN] == allowed
                    assert headers.get("access-control-allow-credentials") == credentials
        closed = await client.options("/api/v1/videos/1/master.m3u8", headers=ORIGIN | asked)
        assert ALLOW_ORIGIN not in closed.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/videos/1/master.m3u8"),
        ("GET", "/api/v1/videos/1/master.m3u8?token="),
        ("GET", "/api/v1/videos/1/master.m3u8?mytoken=x"),
        ("GET", "/api/v1/videos?token=x"),
        ("GET", "/api/v1/videos/1/poster.jpg?token=x"),
        ("OPTIONS", "/api/activate/1/x"),
        ("OPTIONS", "/api/v1/videos/1/master.m3u8"),
        ("POST", "/api/v1/auth/token?token=x"),
        ("GET", "/api/v1/me"),
    ],
)
async def test_other_urls_are_not(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, path, headers=ORIGIN)
    assert ALLOW_ORIGIN not in answer.headers
