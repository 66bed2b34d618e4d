"""Uploads that cannot become videos end with a reason; only their source is kept for a while."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from journeys.conftest import Site, follow, upload
from media.clips import make_clip
from media.test_probe import cut_behind_its_index, playlist, sound_only, text

pytestmark = pytest.mark.journey

GIGABYTE = 1 << 30
RSS_LIMIT = 50 << 20


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


def stored(site: Site) -> set[Path]:
    # os.walk passes over folders that go while it looks.
    return {
        Path(folder, name) for folder, _, names in os.walk(site.home / "media") for name in names
    }


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (text, "not-a-video"),
        (sound_only, "no-picture"),
        (cut_behind_its_index, "truncated"),
        (playlist, "not-a-video"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_hopeless_uploads_say_why_and_keep_only_their_source(
    site: Site, client: httpx.Client, make: Callable[[Path], None], code: str, tmp_path: Path
) -> None:
    assert settled(lambda: idle(client), seconds=60), "other films are still being worked on"
    before = stored(site)
    file = tmp_path / "film.mp4"
    make(file)
    video = upload(client, file, make.__name__)
    final = follow(client, video["id"])[-1]
    assert final["state"] == "failed"
    assert final["failure"]["code"] == code
    assert final["failure"]["reason"].endswith(".")
    answer = client.post(f"/api/v1/videos/{video['id']}/play")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/film-failed")
    assert settled(lambda: len(stored(site) - before) == 1), "more than the source was left"
    (source,) = stored(site) - before
    assert source.read_bytes() == file.read_bytes()
    assert client.delete(f"/api/v1/videos/{video['id']}?permanently=true").status_code == 204
    assert settled(lambda: stored(site) == before), "files were left behind"


def test_the_worker_lives_and_a_deleted_film_takes_its_files_along(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    before = stored(site)
    video = upload(client, make_clip(tmp_path / "film.mp4"), "Good")
    assert follow(client, video["id"])[-1]["state"] == "ready"
    assert len(stored(site)) > len(before) + 2
    assert client.delete(f"/api/v1/videos/{video['id']}?permanently=true").status_code == 204
    assert client.get(f"/api/v1/videos/{video['id']}").status_code == 404
    assert settled(lambda: stored(site) == before), "files were left behind"


def test_two_gigabytes_go_through_flat_memory(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    file = tmp_path / "huge.mp4"
    with file.open("wb") as opened:
        opened.truncate(2 * GIGABYTE)
    upload(client, make_clip(tmp_path / "small.mp4", seconds=0.2), "Warm")
    api = psutil.Process(site.api_pid)
    before = peak = api.memory_info().rss

    def watched() -> Iterator[bytes]:
        nonlocal peak
        with file.open("rb") as opened:
            yield b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nHuge\r\n--x\r\n'
            yield b'Content-Disposition: form-data; name="file"; filename="huge.mp4"\r\n\r\n'
            while data := opened.read(1 << 20):
                peak = max(peak, api.memory_info().rss)
                yield data
            yield b"\r\n--x--\r\n"

    answer = client.post(
        "/api/v1/videos",
        content=watched(),
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert answer.status_code == 201, answer.text
    assert peak - before < RSS_LIMIT, f"{(peak - before) >> 20} MB more"
    assert (
        client.delete(f"/api/v1/videos/{answer.json()['id']}?permanently=true").status_code == 204
    )


def idle(client: httpx.Client) -> bool:
    """Whether nothing that makes files is done or waits to be done now."""
    queues = client.get("/api/v1/operations/overview").json()["queues"]
    return all(
        queue["todo"] == queue["doing"] == 0
        for queue in queues
        if queue["queue"] != "maintenance"  # which has no worker here
    )


def settled(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it becomes true in time: files go by a job of their own."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False
