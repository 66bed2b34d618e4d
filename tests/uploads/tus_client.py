"""Requests of the tus protocol, as tests send them."""

import base64
from collections.abc import AsyncIterator

import httpx

UPLOADS = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


def metadata(**values: str) -> str:
    pairs = [
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items()
    ]
    return ",".join(pairs)


async def create(
    client: httpx.AsyncClient,
    length: int | None,
    content: bytes | None = None,
    described: str | None = None,
    **more: str,
) -> httpx.Response:
    size = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
    headers = TUS | size | {name.replace("_", "-"): value for name, value in more.items()}
    headers["Upload-Metadata"] = described or metadata(filename="film.mp4", title="Film")
    if content is not None:
        headers |= BYTES
    return await client.post(UPLOADS, headers=headers, content=content)


async def created(
    client: httpx.AsyncClient, length: int | None, described: str | None = None, **more: str
) -> str:
    """The URL of a new upload."""
    answer = await create(client, length, None, described, **more)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def send(
    client: httpx.AsyncClient,
    url: str,
    offset: int,
    content: bytes | AsyncIterator[bytes],
    **more: str,
) -> httpx.Response:
    headers = TUS | BYTES | {"Upload-Offset": str(offset)}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    return await client.patch(url, headers=headers, content=content)


async def offset_of(client: httpx.AsyncClient, url: str) -> int:
    answer = await client.head(url, headers=TUS)
    assert answer.status_code == 200, answer.text
    return int(answer.headers["upload-offset"])
