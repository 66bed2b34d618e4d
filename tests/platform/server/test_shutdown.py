"""The API is told to stop while responses and uploads are under way."""

import asyncio
import json
import time

import httpx
import pytest

from api_process import Server, read_all, serving
from conftest import PASSWORD
from videoflix.accounts.service import Accounts
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import transaction
from videoflix.sessions.service.sessions import Sessions

SERVERS = [
    ("videoflix.cli", "serve"),
    ("uvicorn", "videoflix.app:create_app", "--factory", "--log-level", "warning"),
]


@pytest.fixture
async def token(committed: None) -> str:
    async with transaction() as session:
        user = await Accounts(session).create_user(
            email="admin@example.org", password=PASSWORD, role=Role.ADMIN
        )
        return (await Sessions(session).open(user)).access


@pytest.mark.parametrize("command", SERVERS)
async def test_event_streams_end_at_once_and_clients_reconnect(
    token: str, command: tuple[str, ...]
) -> None:
    with serving(command) as server:
        asked = "GET /api/v1/operations/jobs/events HTTP/1.1\r\nHost: x\r\n"
        asked += f"Authorization: Bearer {token}\r\n\r\n"
        with server.connect(asked.encode()) as stream:
            first = b""
            while b"event: queue" not in first:
                first += stream.recv(65_536)
            server.process.terminate()
            begun = time.monotonic()
            rest = read_all(stream)
            server.process.wait(20)
        assert time.monotonic() - begun < 3
        assert b"retry: " in first + rest
        assert rest.endswith(b"0\r\n\r\n"), "the end of the response, not a broken connection"


async def test_an_upload_that_is_under_way_is_finished(token: str) -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nFilm\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    )
    body = form + b"film " * 50_000 + b"\r\n--x--\r\n"
    with serving() as server:
        with server.connect(upload_head(token, len(body)) + body[:100_000]) as upload:
            await asyncio.sleep(1)
            server.process.terminate()
            await asyncio.sleep(1)
            assert refuses_connections(server)
            upload.sendall(body[100_000:])
            assert b"HTTP/1.1 201" in read_all(upload)
        server.process.wait(10)


async def test_an_upload_that_is_cut_is_told_to_come_back(
    token: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(HTTP_DRAIN_SECONDS="0", HTTP_SHUTDOWN_SECONDS="1") as server:
        with server.connect(upload_head(token, 100_000) + b"--x\r\n") as upload:
            await asyncio.sleep(1)
            server.process.terminate()
            head, _, body = read_all(upload).partition(b"\r\n\r\n")
        server.process.wait(10)
    assert head.startswith(b"HTTP/1.1 503 "), head
    assert b"content-type: application/problem+json" in head
    assert b"retry-after: " in head
    assert json.loads(body)["type"] == "/problems/stopping"
    assert "Traceback" not in capfd.readouterr().err


def upload_head(token: str, length: int) -> bytes:
    lines = [
        "POST /api/v1/videos HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {token}",
        "Content-Type: multipart/form-data; boundary=x",
        f"Content-Length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def refuses_connections(server: Server) -> bool:
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def drain(server: Server, token: str) -> tuple[list[httpx.Response], list[httpx.Response]]:
    """Stop a server, and for two seconds ask for its readiness and for something else."""
    readiness, answers = [], []
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=server.url, headers=headers) as kept:
        before = kept.get("/api/v1/me")
        assert before.status_code == 200
        assert "connection" not in before.headers
        server.process.terminate()
        begun = time.monotonic()
        while time.monotonic() - begun < 2:
            readiness.append(httpx.get(f"{server.url}/health/ready"))  # a new connection
            answers.append(kept.get("/api/v1/me"))
            time.sleep(0.1)
    return readiness, answers


async def test_a_draining_server_serves_on_and_ends_in_time(token: str) -> None:
    with serving(HTTP_DRAIN_SECONDS="3") as server:
        begun = time.monotonic()
        readiness, answers = drain(server, token)
        server.process.wait(10)
        stopped = time.monotonic() - begun
    assert {answer.status_code for answer in readiness} == {503}
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["connection"] for answer in [*readiness, *answers]} == {"close"}
    assert 3 <= stopped < 7, stopped
