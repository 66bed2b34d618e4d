"""Behind PgBouncer in transaction mode: the journey of a film's rows, jobs and news."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import psycopg
import pytest

from conftest import PASSWORD
from database.servers import PGBOUNCER, Bouncer, bouncer, free_port
from journeys.conftest import ADMIN, run_to_end, stop, wait_until_ready
from postgres import open_folder
from videoflix.settings import settings

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed"),
]

CLI = [sys.executable, "-m", "videoflix.cli"]
API = [sys.executable, "-m", "uvicorn", "videoflix.app:create_app", "--factory"]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def direct(database: None) -> str:
    async def create() -> None:
        server = await asyncpg.connect(settings.database_dsn)
        await server.execute("create database bounced template template0")
        await server.close()

    asyncio.run(create())
    return settings.database_dsn.replace("/videoflix?", "/bounced?")


@pytest.fixture(scope="module")
def pooled(direct: str, folder: Path) -> Iterator[Bouncer]:
    """PgBouncer before a database that was migrated through it, and has an administrator."""
    with bouncer(direct, folder) as running:
        given = {"DATABASE_URL": running.url, "VIDEOFLIX_PASSWORD": PASSWORD}
        run_to_end([*CLI, "migrate"], os.environ | given)
        run_to_end([*CLI, "users", "create-admin", ADMIN], os.environ | given)
        yield running


class Site:
    """Two replicas and a worker of each role that know the database by PgBouncer."""

    def __init__(self, stack: ExitStack, home: Path, environment: dict[str, str]) -> None:
        home.mkdir()
        home.chmod(0o755)
        self.ports = [free_port(), free_port()]
        self.environment = os.environ | {
            "VIDEOFLIX_HOME": str(home),
            "SITE_URL": f"http://127.0.0.1:{self.ports[0]}",
            **environment,
        }
        self.logs = home / "log"
        log = stack.enter_context(self.logs.open("ab"))
        commands = [[*API, "--port", str(port), "--log-level", "warning"] for port in self.ports]
        commands.append([*CLI, "worker", "--role", "default"])
        for command in commands:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
            stack.callback(stop, process)
        for number in range(2):
            wait_until_ready(self.url(number))

    def url(self, number: int) -> str:
        return f"http://127.0.0.1:{self.ports[number]}"

    def client(self, number: int, email: str = ADMIN) -> httpx.Client:
        body = {"email": email, "password": PASSWORD}
        answer = httpx.post(f"{self.url(number)}/api/v1/auth/token", json=body, timeout=30)
        assert answer.status_code in {200, 201}, answer.text
        headers = {"Authorization": f"Bearer {answer.json()['access']}"}
        return httpx.Client(base_url=self.url(number), headers=headers, timeout=30)


def eventually(condition: object, seconds: float) -> float:
    """How long it took to come true."""
    assert callable(condition)
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "it never came true"
        time.sleep(0.05)
    return time.monotonic() - begun


def core_journey(site: Site, pooled: Bouncer) -> tuple[float, float]:
    """Sign in, write, have a job done and news passed on.

    Seconds until another replica knew, and until the job was done.
    """
    name = uuid4().hex
    with site.client(0) as one, site.client(1) as other:
        for number in range(20):  # statements are shared out over four server connections
            assert one.get("/api/v1/videos", params={"search": f"word{number}"}).status_code == 200
        made = one.post("/api/v1/categories", json={"name": name})
        assert made.status_code == 201, made.text

        def names() -> list[str]:
            return [row["name"] for row in other.get("/api/v1/categories").json()]

        seen = eventually(lambda: name in names(), 5)
        changed = one.patch(f"/api/v1/categories/{made.json()['id']}", json={"name": name[::-1]})
        assert changed.status_code == 200, changed.text
        seen = max(seen, eventually(lambda: name[::-1] in names(), 5))
        seen = max(seen, sign_out(site, one))
    registered = httpx.post(
        f"{site.url(0)}/api/v1/auth/register",
        json={"email": f"{name}@example.org", "password": PASSWORD},
        timeout=30,
    )
    assert registered.status_code in {201, 202}, registered.text
    with psycopg.connect(pooled.direct, autocommit=True) as database:
        waiting = "select from procrastinate_jobs where status in ('todo', 'doing')"
        waited = " and queue_name = 'default' and scheduled_at is null"
        done = eventually(lambda: database.execute(waiting + waited).fetchone() is None, 10)
    return seen, done


def sign_out(site: Site, one: httpx.Client) -> float:
    """Sign out through a replica; seconds until the other one refuses the token."""
    headers = {"Authorization": one.headers["Authorization"]}
    url = f"{site.url(1)}/api/v1/me"
    assert httpx.get(url, headers=headers, timeout=30).status_code == 200
    current = [row["id"] for row in one.get("/api/v1/auth/sessions").json() if row["current"]]
    assert one.delete(f"/api/v1/auth/sessions/{current[0]}").status_code == 204
    return eventually(lambda: httpx.get(url, headers=headers, timeout=30).status_code == 401, 5)


def doctors_line(site: Site, name: str) -> str:
    """What `videoflix doctor` says of one of its checks."""
    environment = site.environment | {"COLUMNS": "300"}
    done = subprocess.run([*CLI, "doctor"], env=environment, capture_output=True, text=True)
    (line,) = [line for line in done.stdout.splitlines() if f" {name} " in line]
    return line


def is_deaf(site: Site) -> bool:
    """Whether the details of the health check say that notifications do not arrive."""
    with site.client(0) as client:
        checks = client.get("/api/v1/operations/overview").json()["checks"]
    return not checks["notifications"]["ok"]


def test_core_journey_without_being_told_of_the_pooler(pooled: Bouncer, folder: Path) -> None:
    with ExitStack() as stack:
        site = Site(stack, folder / "home", {"DATABASE_URL": pooled.url})
        seconds = core_journey(site, pooled)
        eventually(lambda: is_deaf(site), 30)
        line = doctors_line(site, "Notifications")
        log = site.logs.read_text()
    assert max(seconds) < 6
    assert "DATABASE_POOLER=transaction" in log
    assert "Set DATABASE_LISTEN_URL" in log
    assert line.split()[0] == "warn", line
    assert "DATABASE_LISTEN_URL" in line
    assert "Traceback" not in log, log


def test_core_journey_with_an_address_past_the_pooler(pooled: Bouncer, folder: Path) -> None:
    with ExitStack() as stack:
        given = {
            "DATABASE_URL": pooled.url,
            "DATABASE_LISTEN_URL": pooled.direct,
            "DATABASE_POOLER": "transaction",
        }
        site = Site(stack, folder / "told", given)
        seconds = core_journey(site, pooled)
        assert not is_deaf(site)
        log = site.logs.read_text()
    assert max(seconds) < 6
    assert "DATABASE_LISTEN_URL" not in log, log
    assert "Traceback" not in log, log
