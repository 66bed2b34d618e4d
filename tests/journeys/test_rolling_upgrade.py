"""Both replicas are exchanged as docs/upgrade.md says, behind Caddy with our Caddyfile."""

import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from conftest import PASSWORD
from journeys.conftest import free_port, stop, wait_until_ready
from videoflix.accounts.service import Accounts
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import transaction
from videoflix.sessions.service.sessions import Sessions

pytestmark = pytest.mark.journey

ROOT = Path(__file__).parents[2]
CADDY = Path(sys.executable).with_name("caddyserver")
CLI = [sys.executable, "-m", "videoflix.cli"]
# What compose.yaml says of the API: the time to drain must suffice for the Caddyfile's checks.
API: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["api-1"]
DRAIN_SECONDS = float(API["environment"]["HTTP_DRAIN_SECONDS"])
# docs/upgrade.md waits this long after a replica is healthy, for the proxy to notice.
PAUSE_SECONDS = 5.0
LEAST_REQUESTS = 2_000
CLIENTS = 6


class Replica:
    """An API process on a port of its own, started as the image starts it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        command = [*CLI, *API["command"][1:], "--port", str(self.port)]
        environment = os.environ | {"HTTP_DRAIN_SECONDS": str(DRAIN_SECONDS)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def exchange(self) -> float:
        """Stop it, start the next one and wait until it is healthy; seconds the stop took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(float(API["stop_grace_period"].removesuffix("s")))
        stopped = time.monotonic() - begun
        self.process = self.start()
        wait_until_ready(self.url, "/health/live")
        return stopped

    def stop(self) -> None:
        stop(self.process)


class Clients:
    """Threads that ask for something again and again, each on a connection it keeps."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.answers: Counter[tuple[str, int]] = Counter()
        self.failures: list[str] = []
        self.numbers = itertools.count()
        self.enough = threading.Event()

    @property
    def count(self) -> int:
        return sum(self.answers.values()) + len(self.failures)

    @contextmanager
    def asking(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.enough.set()
            for thread in threads:
                thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for number in self.numbers:
            if self.enough.is_set():
                break
            method, path, body = ("GET", "/api/v1/me", None)
            if number % 4 == 0:
                name = json.dumps({"name": f"Category {number}"})
                method, path, body = ("POST", "/api/v1/categories", name)
            try:
                connection.request(method, path, body, self.headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{method}: {error!r}")
                connection.close()
            else:
                self.answers[method, answer.status] += 1
        connection.close()


@contextmanager
def proxy(folder: Path, replicas: list[Replica]) -> Iterator[int]:
    """Caddy with our Caddyfile, in which the replicas' names are addresses; its port."""
    port = free_port()
    given = (ROOT / "Caddyfile").read_text()
    upstreams = " ".join(f"127.0.0.1:{replica.port}" for replica in replicas)
    file = folder / "Caddyfile"
    options = "{\n\tadmin off\n\tpersist_config off\n"
    written = re.sub(r"^\{\n", options, given, count=1)
    file.write_text(written.replace("api-1:8000 api-2:8000", upstreams))
    assert upstreams in file.read_text()
    environment = os.environ | {"SITE_ADDRESS": f"http://127.0.0.1:{port}", "HOME": str(folder)}
    command = [str(CADDY), "run", "--config", str(file), "--adapter", "caddyfile"]
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", "/health/ready")
        yield port
    finally:
        stop(process)


@pytest.fixture
async def token(committed: None) -> str:
    async with transaction() as session:
        user = await Accounts(session).create_user(
            email="editor@example.org", password=PASSWORD, role=Role.EDITOR
        )
        return (await Sessions(session).open(user)).access


def exchange_all(clients: Clients, replicas: list[Replica]) -> list[float]:
    """Seconds that each replica took to stop."""
    stops = []
    with clients.asking():
        stops.append(replicas[0].exchange())
        time.sleep(PAUSE_SECONDS)
        stops.append(replicas[1].exchange())
        deadline = time.monotonic() + 30
        while clients.count < LEAST_REQUESTS and time.monotonic() < deadline:
            time.sleep(0.1)
    return stops


async def test_no_request_fails_while_both_replicas_are_exchanged(
    token: str, tmp_path: Path
) -> None:
    replicas = [Replica(), Replica()]
    with ExitStack() as stack:
        for replica in replicas:
            stack.callback(replica.stop)
        for replica in replicas:
            wait_until_ready(replica.url)
        port = stack.enter_context(proxy(tmp_path, replicas))
        clients = Clients(port, token)
        stops = exchange_all(clients, replicas)
    assert clients.failures == []
    assert set(clients.answers) == {("GET", 200), ("POST", 201)}
    assert clients.count >= LEAST_REQUESTS
    assert all(DRAIN_SECONDS <= seconds < DRAIN_SECONDS + 10 for seconds in stops)
    async with transaction() as session:
        kept = await session.scalar(text("select count(*) from category"))
    assert kept == clients.answers["POST", 201], "each POST happened once"
