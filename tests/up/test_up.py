"""`videoflix up`, as a person runs it: start, look, stop, kill, start again."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from journeys.conftest import free_port
from media.clips import make_clip
from postgres import open_folder

pytestmark = pytest.mark.journey

START_SECONDS = 180.0  # with other tests beside it


class Running:
    """A running `up`: its process, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_for(self, words: str) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if re.search(words, self.said):
                return self.said
            assert self.process.poll() is None or re.search(words, self.said), self.said
            time.sleep(0.1)
        raise TimeoutError(f"never said {words!r}:\n{self.said}")

    def family(self) -> list[psutil.Process]:
        """`up` and everything it started."""
        whole = psutil.Process(self.process.pid)
        return [whole, *whole.children(recursive=True)]


@pytest.fixture
def home() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder / "home"


def environment(home: Path, **more: str) -> dict[str, str]:
    ours = {"SECRET_KEY", "DATABASE_URL", "SITE_URL"}  # of the tests' own application
    kept = {k: v for k, v in os.environ.items() if k not in ours}
    return kept | {"VIDEOFLIX_HOME": str(home), "TRANSCODE_WORKERS": "1"} | more


@contextmanager
def up(home: Path, port: int, *options: str) -> Iterator[Running]:
    log = home.with_name(f"up-{time.monotonic_ns()}.log")
    command = [sys.executable, "-m", "videoflix.cli", "up", "--port", str(port), *options]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment(home), stdout=out, stderr=out)
        try:
            yield Running(process, log, port)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(30)


def run_up(home: Path, port: int, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "videoflix.cli", "up", "--port", str(port)]
    return subprocess.run(
        command, env=environment(home, **more), capture_output=True, text=True, timeout=60
    )


def gone(family: list[psutil.Process], seconds: float = 10) -> bool:
    _, alive = psutil.wait_procs(family, timeout=seconds)
    return not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def sign_in(running: Running) -> httpx.Client:
    password = re.search(r"Password:\s+(\S+)", running.said)
    assert password
    client = httpx.Client(base_url=running.url, timeout=30)
    body = {"email": "admin@videoflix.local", "password": password[1]}
    with httpx.Client(base_url=running.url) as stranger:
        answer = stranger.post("/api/v1/auth/session", json=body)
        assert answer.status_code == 200
        client.cookies = stranger.cookies
    client.headers["Origin"] = running.url
    return client


def test_first_start_shows_everything_and_plays_a_sample(home: Path) -> None:
    port = free_port()
    with up(home, port) as running:
        said = running.wait_for("The sample film is ready")
        for row in ("Watch:", "API docs:", "Admin:", "Mail:", "Data:", "Commands:", "Password:"):
            assert row in said
        assert said.count("shown only once") == 1
        link = re.search(r"ready: (http\S+/#/watch/(\d+))", said)
        assert link
        with sign_in(running) as client:
            video = client.get(f"/api/v1/videos/{link[2]}").json()
            assert (video["state"], video["qualities"][0]) == ("ready", "720p")
            ticket = client.post(f"/api/v1/videos/{link[2]}/play").json()
            assert client.get(ticket["master_url"]).text.startswith("#EXTM3U")
            mail = client.get("/api/v1/operations/mail").json()
            assert running.url in mail["items"][0]["text"]
            for page in ("/", "/schema", "/admin", "/mail"):
                assert client.get(page).status_code == 200
        second = run_up(home, free_port())
        assert second.returncode == 1
        assert f"already running at {running.url}" in second.stdout + second.stderr
        family = running.family()
        os.kill(running.process.pid, signal.SIGINT)
        assert running.process.wait(30) == 0
        assert gone(family)
        assert "Traceback" not in running.said
    with up(home, port, "--no-sample") as running:
        assert "Password:" not in running.wait_for("Press Ctrl-C to stop")


def test_killed_without_warning_it_leaves_nothing_and_goes_on(home: Path) -> None:
    port = free_port()
    with up(home, port, "--no-sample") as running:
        running.wait_for("Press Ctrl-C to stop")
        clip = make_clip(home.with_name("clip.mp4"), seconds=40, size="640x360")
        with sign_in(running) as client, clip.open("rb") as file:
            answer = client.post(
                "/api/v1/videos", data={"title": "T"}, files={"file": ("clip.mp4", file)}
            )
            assert answer.status_code == 201, answer.text
            wait_until(client, lambda video: 0 < video["progress"] < 1)
            cookies = client.cookies
        family = running.family()
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
        assert gone(family), "an orphan is alive"
    with up(home, port, "--no-sample") as running:
        running.wait_for("Press Ctrl-C to stop")
        with httpx.Client(base_url=running.url, cookies=cookies) as client:
            wait_until(client, lambda video: video["state"] == "ready")


def test_what_dies_is_started_again(home: Path) -> None:
    with up(home, free_port(), "--no-sample") as running:
        running.wait_for("Press Ctrl-C to stop")
        whole = psutil.Process(running.process.pid)
        victims = [child for child in children_of(whole) if "uvicorn" not in child.cmdline()]
        for victim in victims:
            victim.kill()
        running.wait_for("postgres │ died")
        running.wait_for("worker │ stopped .SIGKILL., restarting")
        running.wait_for("transcoder-1 │ stopped .SIGKILL., restarting")
        assert gone(victims)
        deadline = time.monotonic() + START_SECONDS
        while len(children_of(whole)) < len(victims) + 1:
            assert time.monotonic() < deadline, running.said
            time.sleep(0.1)
        assert httpx.get(f"{running.url}/health/ready", timeout=30).status_code == 200


def children_of(whole: psutil.Process) -> list[psutil.Process]:
    return [child for child in whole.children() if child.status() != psutil.STATUS_ZOMBIE]


def test_stopping_while_it_starts_is_clean(home: Path) -> None:
    with up(home, free_port(), "--no-sample") as running:
        running.wait_for("Preparing the database")
        family = running.family()
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(30) == 0
        assert gone(family)
        assert "Traceback" not in running.said
        assert "running" not in running.said


def wait_until(client: httpx.Client, condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        video = client.get("/api/v1/videos/1").json()
        if condition(video):
            return
        assert video["state"] == "processing", video
        time.sleep(0.1)
    raise TimeoutError(json.dumps(video))


def test_taken_port_is_named(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run_up(home, port)
    assert done.returncode == 1
    assert f"Port {port}" in done.stdout
    assert "--port" in done.stdout
    assert not (home / "postgres").exists(), "nothing is started before that is known"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("X264_CRF", "high", "expected `int`"),
        ("DATABASE_POOL_SIZE", "0", ">= 1"),
        ("SECRET_KEY", "short", "32 characters"),
        ("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing", "is not available"),
        ("FFMPEG_PATH", "/nowhere/ffmpeg", "/nowhere/ffmpeg"),
        ("STORAGE_URL", "file:///proc/nowhere", "/proc/nowhere"),
    ],
)
def test_wrong_settings_are_named(home: Path, variable: str, value: str, expected: str) -> None:
    done = run_up(home, free_port(), **{variable: value})
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert variable in said
    assert expected in said
    assert "Traceback" not in said
