"""From a video to its plain files, on the real server and workers."""

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from journeys.conftest import Site, follow, upload
from media.clips import make_clip
from videoflix.media.ffmpeg import find_ffmpeg

pytestmark = pytest.mark.journey

SECONDS = 12
WAIT_SECONDS = 60.0


def files_of(client: httpx.Client, video_id: int) -> dict[str, Any]:
    """The video's files, once they are made."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found: dict[str, Any] = client.get(f"/api/v1/videos/{video_id}/files").json()
        if found["movies"] and found["storyboard_url"]:
            return found
        time.sleep(0.3)
    raise TimeoutError("the files were not made")


def decoded_frames(url: str) -> int:
    """How many pictures a player that sends no headers makes of an address."""
    done = subprocess.run(
        [find_ffmpeg(), "-v", "error", "-i", url, "-f", "null", "-", "-progress", "pipe:1"],
        capture_output=True,
        text=True,
    )
    assert not done.stderr, done.stderr
    return int(re.findall(r"^frame=\s*(\d+)$", done.stdout, re.M)[-1])


@pytest.mark.parametrize("entrance", ["/login/", "/api/accounts/login/"])
def test_older_front_ends_play_what_they_list(site: Site, entrance: str, tmp_path: Path) -> None:
    pytest.importorskip("videoflix.compat", reason="the dialects were removed")
    clip = make_clip(tmp_path / "clip.mp4", seconds=3, size="640x360")
    with site.client() as client:
        video = upload(client, clip, "Listed")
        follow(client, video["id"])
        files_of(client, video["id"])
    with httpx.Client(base_url=site.url) as page:
        sent = {"email": site.email, "password": site.password}
        token = page.post(entrance, json=sent).json()["token"]
        page.cookies.clear()
        films = page.get("/api/videos/", headers={"Authorization": f"Token {token}"}).json()
        film = next(film for film in films if film["id"] == video["id"])
        for size in ("_120p", "_360p", "_720p", "_hd1080"):
            assert decoded_frames(film["file"].replace(".mp4", f"{size}.mp4")) == 75
        assert [found["label"] for found in film["resolutions"]] == ["360p", "120p"]


def test_old_players_get_files_until_the_film_is_gone(site: Site, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=SECONDS, size="640x360")
    with site.client() as client, httpx.Client(base_url=site.url) as stranger:
        video = upload(client, clip, "Plain files")
        follow(client, video["id"])
        found = files_of(client, video["id"])
        assert [movie["name"] for movie in found["movies"]] == ["360p", "120p"]
        url = found["movies"][0]["url"].replace("_360p", "")
        assert decoded_frames(f"{site.url}{url}") == SECONDS * 25
        part = stranger.get(url.replace(".mp4", "_hd1080.mp4"), headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        vtt = stranger.get(found["storyboard_url"])
        assert len(re.findall(r" --> ", vtt.text)) == SECONDS
        sprite = httpx.URL(f"{site.url}{found['storyboard_url']}").join(vtt.text.split("\n")[3])
        assert stranger.get(sprite).content.startswith(b"\xff\xd8\xff")
        assert client.delete(f"/api/v1/videos/{video['id']}?permanently=true").status_code == 204
        assert stranger.get(url).status_code == 404
