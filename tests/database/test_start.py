"""Processes that start before their database answers."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from conftest import PASSWORD
from database.servers import free_port, password_of
from journeys.conftest import stop, wait_until_ready
from videoflix.accounts.service import Accounts
from videoflix.platform.postgres.session import transaction
from videoflix.sessions.service.sessions import Sessions
from videoflix.settings import settings

pytestmark = pytest.mark.journey

BIN = Path(sys.executable).parent
WORKERS = {
    "videoflix": [sys.executable, "-m", "videoflix.cli", "worker", "--role", "default"],
    "procrastinate": [str(BIN / "procrastinate"), "--app=videoflix.worker.queue", "worker"],
}
AWAY = (503, "/problems/unavailable")
NOWHERE = "postgresql://videoflix:x@127.0.0.1:1/videoflix"
WITHOUT_TABLES = settings.database_dsn.replace("/videoflix?", "/template1?")


def start(command: list[str], url: str, home: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"DATABASE_URL": url, "VIDEOFLIX_HOME": str(home)}
    with (home / "log").open("wb") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def said(process: subprocess.Popen[bytes], log: Path, words: str, seconds: float) -> bool:
    """Whether a running process writes this in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if words in log.read_text():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("command", "url", "number"),
    [
        ("videoflix", NOWHERE, signal.SIGTERM),
        ("videoflix", WITHOUT_TABLES, signal.SIGINT),
        ("procrastinate", NOWHERE, signal.SIGTERM),
    ],
)
def test_a_worker_that_waits_for_its_database_stops_in_order(
    database: None, tmp_path: Path, command: str, url: str, number: signal.Signals
) -> None:
    worker = start(WORKERS[command], url, tmp_path)
    try:
        assert said(worker, tmp_path / "log", "waiting for", 60)
        worker.send_signal(number)
        code = worker.wait(30)
    finally:
        with suppress(ProcessLookupError):
            worker.kill()
        worker.wait()
    log = (tmp_path / "log").read_text()
    assert code == 0, log
    assert "Traceback" not in log


@asynccontextmanager
async def reachable_at(port: int) -> AsyncGenerator[None]:
    """The test run's Postgres at a port, too."""
    where = psycopg.conninfo.conninfo_to_dict(settings.database_dsn)
    socket_path = f"{where['host']}/.s.PGSQL.5432"

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_unix_connection(socket_path)
        with suppress(OSError):
            await asyncio.gather(pump(reader, forth), pump(back, writer))

    server = await asyncio.start_server(pass_on, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


def status(method: str, url: str, token: str, body: object = None) -> tuple[int, str]:
    """The status of an answer and its problem's type."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = httpx.request(method, url, json=body, headers=headers, timeout=20)
    is_problem = answer.headers["content-type"].startswith("application/problem+json")
    return answer.status_code, answer.json()["type"] if is_problem else ""


@pytest.fixture
async def token(committed: None) -> str:
    async with transaction() as session:
        user = await Accounts(session).create_user(email="a@example.org", password=PASSWORD)
        return (await Sessions(session).open(user)).access


async def test_the_api_starts_without_its_database_recovers_and_stops_without_it(
    token: str, tmp_path: Path
) -> None:
    port, api = free_port(), free_port()
    url = f"postgresql://videoflix:{password_of(settings.database_dsn)}@127.0.0.1:{port}/videoflix"
    command = [sys.executable, "-m", "videoflix.cli", "serve", "--port", str(api)]
    server = start(command, url, tmp_path)
    base = f"http://127.0.0.1:{api}"
    try:
        await asyncio.to_thread(wait_until_ready, base, "/health/live")
        assert status("GET", f"{base}/health/ready", "")[0] == 503
        for path in ("/api/v1/me", "/api/v1/videos", "/api/v1/categories"):
            assert status("GET", base + path, token) == AWAY, path
        sign_in = {"email": "a@example.org", "password": PASSWORD}
        assert status("POST", f"{base}/api/v1/auth/token", "", sign_in) == AWAY
        async with reachable_at(port):
            await asyncio.to_thread(wait_until_ready, base)
            answer = await asyncio.to_thread(status, "GET", f"{base}/api/v1/me", token)
            assert answer == (200, "")
            assert server.poll() is None
            stop(server)  # blocks this event loop: for the server its database is frozen now
    finally:
        server.kill()
    assert server.returncode in {0, -signal.SIGTERM}
