"""A whole site for the journeys: the real server and worker processes, on a database of its own."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import msgspec
import pytest

from conftest import PASSWORD
from postgres import HOME
from smtp_server import SmtpInbox
from videoflix.settings import settings

ADMIN = "admin@example.org"
START_SECONDS = 120.0


class Site(msgspec.Struct):
    """Where the site is, and its admin's sign-in."""

    url: str
    email: str
    password: str
    home: Path
    environment: dict[str, str]
    api_pid: int
    inbox: SmtpInbox

    def log(self) -> str:
        """What the processes have written so far."""
        return (self.home / "log").read_text()

    def client(self) -> httpx.Client:
        """A client that is signed in as the admin."""
        body = {"email": self.email, "password": self.password}
        token = httpx.post(f"{self.url}/api/v1/auth/token", json=body).json()["access"]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


def upload(client: httpx.Client, file: Path, title: str) -> dict[str, Any]:
    with file.open("rb") as opened:
        answer = client.post(
            "/api/v1/videos", data={"title": title}, files={"file": (file.name, opened)}
        )
    assert answer.status_code == 201, answer.text
    video: dict[str, Any] = answer.json()
    return video


def follow(client: httpx.Client, video_id: int) -> list[dict[str, Any]]:
    """Every state a video went through, told by its event stream, until the final one."""
    states = []
    with client.stream("GET", f"/api/v1/videos/{video_id}/events", timeout=180) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                states.append(json.loads(line.removeprefix("data: ")))
    return states


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def own_database() -> str:
    """The address of a new database on the test run's server."""

    async def create() -> None:
        server = await asyncpg.connect(settings.database_dsn)
        await server.execute("create database journeys template template0")
        await server.close()

    asyncio.run(create())
    return urlunsplit(urlsplit(settings.database_dsn)._replace(path="/journeys"))


@pytest.fixture(scope="session")
def site(database: None) -> Iterator[Site]:
    """A running site: one API process, one worker of each role."""
    home = HOME / "journeys"
    home.mkdir()
    port = free_port()
    inbox = SmtpInbox(free_port())
    environment = os.environ | {
        "VIDEOFLIX_HOME": str(home),
        "DATABASE_URL": own_database(),
        "SITE_URL": f"http://127.0.0.1:{port}",
        "VIDEOFLIX_PASSWORD": PASSWORD,
        "SMTP_URL": f"smtp://127.0.0.1:{inbox.port}",
        # Who sends X-Forwarded-For comes from there: each journey has limits of its own.
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    cli = [sys.executable, "-m", "videoflix.cli"]
    run_to_end([*cli, "migrate"], environment)
    run_to_end([*cli, "users", "create-admin", ADMIN], environment)
    commands = [
        [*cli, "serve", "--port", str(port)],
        [*cli, "worker", "--role", "default"],
        [*cli, "worker", "--role", "transcode"],
    ]
    with ExitStack() as stack:
        stack.enter_context(inbox.running())
        log = stack.enter_context((home / "log").open("ab"))
        processes = [
            subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            for command in commands
        ]
        for process in processes:
            stack.callback(stop, process)
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url)
        yield Site(url, ADMIN, PASSWORD, home, environment, processes[0].pid, inbox)


def run_to_end(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr


def wait_until_ready(url: str, path: str = "/health/ready") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}{path}").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError("the site did not become ready")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
