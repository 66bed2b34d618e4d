"""From a file to a video: upload, wait, play, on the real server and workers."""

import subprocess
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from journeys.conftest import Site, follow, upload
from media.clips import ffmpeg, make_clip
from videoflix.media.ffmpeg import find_ffmpeg

pytestmark = pytest.mark.journey

RATE = Fraction(24000, 1001)
SECONDS = 20
FRAMES = 480
FRAME_SECONDS = float(1 / RATE)

# A video as it was uploaded, and every state it went through.
Film = tuple[dict[str, Any], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


@pytest.fixture(scope="module")
def film(
    client: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    clip = make_clip(
        tmp_path_factory.mktemp("clip") / "clip.mp4",
        seconds=SECONDS,
        size="640x360",
        rate=str(RATE),
    )
    video = upload(client, clip, "Journey")
    return video, follow(client, video["id"])


def test_progress_is_told_live(film: Film) -> None:
    _, states = film
    progress = [state["progress"] for state in states]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert any(state["playable"] and state["state"] == "processing" for state in states), (
        "the film must play before it is complete"
    )
    final = states[-1]
    assert (final["state"], final["failure"]) == ("ready", None)
    assert final["qualities"] == ["360p", "120p"]
    assert final["duration"] == pytest.approx(FRAMES / RATE, abs=FRAME_SECONDS)


def video_uris(base: str, text: str) -> list[str]:
    """The variants with a picture; one more has the sound alone."""
    lines = text.splitlines()
    return [
        urljoin(base, uri)
        for tag, uri in pairwise(lines)
        if tag.startswith("#EXT-X-STREAM-INF:") and "RESOLUTION=" in tag
    ]


def playlist_uris(base: str, text: str) -> list[str]:
    return [urljoin(base, line) for line in text.splitlines() if line and not line.startswith("#")]


def test_everything_a_player_asks_for_is_there_and_decodes(
    site: Site,
    client: httpx.Client,
    film: Film,
    tmp_path: Path,
) -> None:
    video, _ = film
    ticket = client.post(f"/api/v1/videos/{video['id']}/play").json()
    master_url = urljoin(site.url, ticket["master_url"])
    with httpx.Client() as stranger:  # the address is all a player has
        master = stranger.get(master_url)
        assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
        variants = video_uris(master_url, master.text)
        assert len(variants) == 2
        for variant in variants:
            playlist = stranger.get(variant).text
            assert "#EXT-X-PLAYLIST-TYPE:VOD" in playlist
            durations = [
                float(line[8:-1]) for line in playlist.splitlines() if line.startswith("#EXTINF:")
            ]
            assert sum(durations) == pytest.approx(FRAMES / RATE, abs=0.001)
            segments = playlist_uris(variant, playlist)
            assert len(segments) == len(durations) == 5
            for segment in segments:
                assert stranger.get(segment).status_code == 200
            assert decoded_frames(variant) == FRAMES
    sound = tmp_path / "sound.wav"
    ffmpeg("-i", master_url, "-map", "0:a:0", sound)
    assert sound.stat().st_size / (48_000 * 4) == pytest.approx(FRAMES / RATE, abs=0.05)


def decoded_frames(url: str, *options: str) -> int:
    """How many pictures ffmpeg, as a player, makes of a playlist."""
    done = subprocess.run(
        [find_ffmpeg(), "-v", "error", *options, "-i", url, "-map", "0:v:0", "-f", "null", "-",
         "-progress", "pipe:1"],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    counts = [line for line in done.stdout.splitlines() if line.startswith("frame=")]
    return int(counts[-1].removeprefix("frame="))


def test_nothing_is_served_to_strangers(site: Site, client: httpx.Client, film: Film) -> None:
    video, _ = film
    master_url = f"{site.url}/api/v1/videos/{video['id']}/master.m3u8"
    playlists = playlist_uris(master_url, client.get(master_url).text)
    segments = playlist_uris(playlists[0], client.get(playlists[0]).text)
    shown = client.get(f"/api/v1/videos/{video['id']}").json()
    poster = f"{site.url}{shown['poster_url']}"
    assert client.get(poster).headers["content-type"] == "image/jpeg"
    assert httpx.get(poster).status_code == 200, "the film is listed for everyone"
    path = f"/api/v1/videos/{video['id']}"
    assert client.patch(path, json={"audience": "members"}).status_code == 200
    for url in (master_url, playlists[0], segments[0], poster):
        assert client.get(url).status_code == 200
        # Whether there is such a poster is nobody's business either.
        refused = 404 if url == poster else 401
        assert httpx.get(url).status_code == refused
        assert httpx.get(f"{url}?token=rubbish").status_code == refused
    other = client.post(f"/api/v1/videos/{video['id']}/play").json()["master_url"]
    token = other.partition("?token=")[2]
    stolen = f"{site.url}/api/v1/videos/{video['id'] + 1}/master.m3u8?token={token}"
    assert httpx.get(stolen).status_code == 401
    assert client.patch(path, json={"audience": "everyone"}).status_code == 200


def test_segments_that_are_not_there_are_not_found(
    site: Site, client: httpx.Client, film: Film
) -> None:
    video, _ = film
    path = f"/api/v1/videos/{video['id']}"
    variant = playlist_uris(f"{path}/x", client.get(f"{path}/master.m3u8").text)[0]
    folder = variant.rpartition("/")[0]
    for name in ("99999.m4s", "init-7.mp4", "source", "..%2fsource", "%2e%2e/source", "00000.ts"):
        assert client.get(f"{folder}/{name}").status_code in {400, 404}
    assert client.get(folder.replace("360p", "999p") + "/00000.m4s").status_code == 404
    assert client.get(folder.replace("/assets/", "/assets/9") + "/00000.m4s").status_code == 404


def test_plan_limits_the_size_of_the_picture(site: Site, client: httpx.Client, film: Film) -> None:
    """The larger rungs are neither offered nor served to somebody who knows their address."""
    api, number = "/api/v1", film[0]["id"]
    person = {"email": "small@example.org", "password": "a small good password"}
    user = client.post(f"{api}/users", json=person).json()
    plan = {"name": "Small", "price": 100, "currency": "EUR", "streams": 1, "max_height": 240}
    made = client.post(f"{api}/plans", json=plan).json()
    member = {"user_id": user["id"], "plan_id": made["id"]}
    assert client.post(f"{api}/memberships", json=member).status_code == 201
    with httpx.Client(base_url=site.url) as viewer:
        pair = viewer.post(f"{api}/auth/token", json=person).json()
        viewer.headers["Authorization"] = f"Bearer {pair['access']}"
        played = viewer.post(f"{api}/videos/{number}/play").json()
        master = viewer.get(played["master_url"])
        assert "RESOLUTION=214x120" in master.text
        assert "x360" not in master.text
        (small,) = [
            uri for uri in playlist_uris(played["master_url"], master.text) if "120p" in uri
        ]
        assert viewer.get(small).status_code == 200
        for path in ("index.m3u8", "init-0.mp4", "00000.m4s"):
            large = urljoin(small.replace("/120p/", "/360p/"), path)
            assert viewer.get(large).status_code == 404, large
        confirmation = {"password": person["password"]}
        assert viewer.request("DELETE", f"{api}/me", json=confirmation).status_code == 204
    # With a plan, watching needs a membership in all journeys.
    assert client.delete(f"{api}/plans/{made['id']}").status_code == 204


def test_another_file_takes_over_when_it_is_complete(
    site: Site, client: httpx.Client, tmp_path: Path
) -> None:
    """What people remember belongs to the video; until the new file is there the old one plays."""
    first = make_clip(tmp_path / "first.mp4", seconds=4, size="320x180", rate="25")
    other = make_clip(tmp_path / "other.mp4", seconds=6, size="320x180", rate="25")
    path = f"/api/v1/videos/{upload(client, first, 'Director')['id']}"
    follow(client, int(path.rpartition("/")[2]))
    client.put(f"{path}/progress", json={"seconds": 2})
    with other.open("rb") as file:
        assert client.put(f"{path}/file", files={"file": file}).status_code == 202
    assert client.get(path).json()["state"] == "ready"
    deadline = time.monotonic() + 60
    while client.get(path).json()["duration"] < 5:
        played = client.post(f"{path}/play").json()
        assert client.get(played["master_url"]).status_code == 200
        assert time.monotonic() < deadline, "the new file never took over"
        time.sleep(0.2)
    played = client.post(f"{path}/play").json()
    master_url = urljoin(site.url, played["master_url"])
    variants = video_uris(master_url, client.get(master_url).text)
    assert {decoded_frames(variant) for variant in variants} == {150}
    assert client.get(f"{path}/progress").json()["seconds"] == 2.0
