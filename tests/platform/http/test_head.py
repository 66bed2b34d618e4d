"""HEAD on every path that answers GET."""

import httpx
import pytest

CHANGING = {"x-request-id", "ratelimit-remaining", "ratelimit-reset", "date"}


def stable_headers(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in CHANGING}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/health/live", 200),
        ("/api/v1/videos", 401),
        ("/api/v1/nowhere", 404),
        ("/api/v1/auth/token", 405),
        ("/schema/openapi.json", 200),
        ("/admin", 303),
    ],
)
async def test_headers_are_those_of_get(client: httpx.AsyncClient, path: str, status: int) -> None:
    head, get = await client.head(path), await client.get(path)
    assert (head.status_code, get.status_code) == (status, status)
    assert head.content == b""
    assert stable_headers(head) == stable_headers(get)


async def test_endless_answers_end_with_their_headers(admin: httpx.AsyncClient) -> None:
    answer = await admin.head("/api/v1/operations/jobs/events", timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_handler_for_head_is_called_itself(client: httpx.AsyncClient) -> None:
    assert (await client.head("/api/v1/videos/1/poster.jpg")).status_code == 404
