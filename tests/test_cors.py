"""Browsers let listed front ends on other hosts call the API, and no others."""

from collections.abc import AsyncIterator

import httpx
import pytest

from conftest import app_with, http_client

PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,x-csrftoken",
}


@pytest.fixture
async def listed(database: None) -> AsyncIterator[httpx.AsyncClient]:
    """An installation that lists one front end."""
    async with http_client(app_with(cors_origins="https://films.example")) as client:
        yield client


async def test_listed_front_end_may_send_credentials(listed: httpx.AsyncClient) -> None:
    headers = PREFLIGHT | {"Origin": "https://films.example"}
    answer = await listed.options("/api/v1/auth/session", headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://films.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    plain = await listed.get("/health/live", headers={"Origin": "https://films.example"})
    assert plain.headers["access-control-allow-origin"] == "https://films.example"


async def test_other_hosts_get_no_permission(
    listed: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    headers = PREFLIGHT | {"Origin": "https://evil.example"}
    for site in (listed, client):
        answer = await site.options("/api/v1/auth/session", headers=headers)
        assert "access-control-allow-origin" not in answer.headers
