"""Two API processes behind a proxy are one site, also while they are exchanged."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from conftest import PASSWORD
from journeys.conftest import Site, follow, free_port, stop, upload, wait_until_ready
from media.clips import make_clip

pytestmark = pytest.mark.journey

PROXY = Path(__file__).with_name("proxy.py")
SERVER = [sys.executable, "-m", "uvicorn", "videoflix.app:create_app", "--factory"]


class Replicas:
    """API processes of a site, which can be exchanged one by one."""

    def __init__(self, site: Site, count: int) -> None:
        self.site = site
        self.ports = [free_port() for _ in range(count)]
        self.processes = [self._start(port) for port in self.ports]

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        command = [*SERVER, "--port", str(port), "--log-level", "warning"]
        command += ["--timeout-graceful-shutdown", "5"]
        return subprocess.Popen(command, env=self.site.environment)

    def url(self, number: int) -> str:
        return f"http://127.0.0.1:{self.ports[number]}"

    def exchange(self, number: int) -> None:
        """Stop one as an orchestrator does, and start it again."""
        stop(self.processes[number])
        self.processes[number] = self._start(self.ports[number])
        wait_until_ready(self.url(number))

    def stop(self) -> None:
        for process in self.processes:
            stop(process)


@pytest.fixture(scope="module")
def replicas(site: Site) -> Iterator[Replicas]:
    running = Replicas(site, 2)
    with ExitStack() as stack:
        stack.callback(running.stop)
        for number in range(2):
            wait_until_ready(running.url(number))
        yield running


@pytest.fixture(scope="module")
def address(replicas: Replicas) -> Iterator[str]:
    """Where the proxy listens."""
    port = free_port()
    command = [sys.executable, str(PROXY), str(port), *map(str, replicas.ports)]
    with subprocess.Popen(command) as proxy:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url)
        yield url
        proxy.terminate()


def client_of(url: str, site: Site) -> httpx.Client:
    """A signed-in client whose requests take a connection each, so that replicas take turns."""
    body = {"email": site.email, "password": site.password}
    token = httpx.post(f"{url}/api/v1/auth/token", json=body).json()["access"]
    return httpx.Client(
        base_url=url,
        headers={"Authorization": f"Bearer {token}"},
        limits=httpx.Limits(max_keepalive_connections=0),
        timeout=60,
    )


@pytest.fixture(scope="module")
def client(address: str, site: Site) -> Iterator[httpx.Client]:
    with client_of(address, site) as client:
        yield client


@pytest.fixture(scope="module")
def film(client: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> int:
    clip = make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=3, size="320x180")
    video = upload(client, clip, "Through a proxy")
    states = follow(client, video["id"])
    assert states[-1]["state"] == "ready"
    return int(video["id"])


def eventually(check: Callable[[], bool], seconds: float = 1.0) -> bool:
    """Whether it comes true in time: what one process announces reaches the others in a second."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.05)
    return False


def test_film_is_uploaded_followed_and_played_through_both(
    client: httpx.Client, address: str, film: int
) -> None:
    master = urljoin(address, client.post(f"/api/v1/videos/{film}/play").json()["master_url"])
    for _ in range(4):  # both, twice
        playlist = httpx.get(master)
        assert playlist.status_code == 200
        (variant, *_) = [line for line in playlist.text.splitlines() if not line.startswith("#")]
        assert httpx.get(urljoin(master, variant)).status_code == 200


def test_change_through_one_is_seen_through_the_other(
    client: httpx.Client, replicas: Replicas, site: Site, film: int
) -> None:
    with client_of(replicas.url(1), site) as other:
        assert other.get(f"/api/v1/videos/{film}").json()["title"] == "Through a proxy"
        with client_of(replicas.url(0), site) as one:
            changed = one.patch(f"/api/v1/videos/{film}", json={"title": "Renamed"})
        assert changed.status_code == 200, changed.text
        assert eventually(lambda: other.get(f"/api/v1/videos/{film}").json()["title"] == "Renamed")


def test_signing_out_of_one_is_signing_out_of_the_other(replicas: Replicas, site: Site) -> None:
    with client_of(replicas.url(0), site) as one:
        headers = dict(one.headers)
        url = f"{replicas.url(1)}/api/v1/me"
        assert httpx.get(url, headers=headers).status_code == 200
        current = [row["id"] for row in one.get("/api/v1/auth/sessions").json() if row["current"]]
        assert one.delete(f"/api/v1/auth/sessions/{current[0]}").status_code == 204
        assert eventually(lambda: httpx.get(url, headers=headers).status_code == 401)


def test_wrong_passwords_are_counted_together(address: str) -> None:
    body = {"email": "nobody@example.org", "password": "wrong horse battery staple"}
    answers = []
    for _ in range(30):
        answers.append(httpx.post(f"{address}/api/v1/auth/token", json=body).status_code)
        if answers[-1] == 429:
            break
    assert answers[-1] == 429
    assert httpx.post(f"{address}/api/v1/auth/token", json=body).status_code == 429


def test_stream_that_is_stopped_through_one_is_over_at_the_other(
    client: httpx.Client, replicas: Replicas, film: int
) -> None:
    started = client.post("/api/v1/streams", json={"video_id": film, "device": "TV"}).json()
    master = urljoin(replicas.url(1), started["playback"]["master_url"])
    assert httpx.get(master).status_code == 200
    with httpx.Client(base_url=replicas.url(0), headers=client.headers) as one:
        assert one.delete(f"/api/v1/streams/{started['id']}").status_code == 204
    assert eventually(lambda: httpx.get(master).status_code == 410)


def test_exchanging_both_under_load_fails_no_request_and_loses_no_job(
    client: httpx.Client, replicas: Replicas, site: Site, address: str, film: int
) -> None:
    failures: list[str] = []
    done = threading.Event()
    statuses: list[int] = []

    def keep_asking() -> None:
        while not done.is_set():
            try:
                answer = client.get(f"/api/v1/videos/{film}")
            except httpx.HTTPError as error:
                failures.append(repr(error))
            else:
                statuses.append(answer.status_code)

    people = [f"person{number}@example.org" for number in range(8)]
    askers = [threading.Thread(target=keep_asking) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        registered = []
        for number, email in enumerate(people):
            body = {"email": email, "password": PASSWORD}
            asked = httpx.post(
                f"{address}/api/v1/auth/register",
                json=body,
                headers={"X-Forwarded-For": f"192.0.2.{number}"},
                timeout=30,
            )
            registered.append(asked)
            if number in {2, 6}:
                replicas.exchange(number // 4)
    finally:
        done.set()
        for asker in askers:
            asker.join()
    assert failures == []
    assert set(statuses) == {200}
    assert len(statuses) > 50
    assert {answer.status_code for answer in registered} <= {201, 202}
    wanted = set(people)
    assert eventually(lambda: wanted <= {str(mail["To"]) for mail in site.inbox.got}, seconds=30), (
        "every registration sends its mail"
    )
