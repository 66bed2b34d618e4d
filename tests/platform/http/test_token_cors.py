"""Which answers pages of other sites may read."""

import httpx
import pytest

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
