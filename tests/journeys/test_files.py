"""From a film to its plain files, on the real server and workers."""

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
    """The film's files, once they are made."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found: dict[str, Any] = client.get(f"/api/v1/videos/{video_id}/files").json()
        if found["movies"] and found["storyboard_url"]:
            return found
        time.sleep(0.3)
    raise TimeoutError("the files were not made")


def test_old_players_get_files_until_the_film_is_gone(site: Site, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=SECONDS, size="640x360")
    with site.client() as client, httpx.Client(base_url=site.url) as stranger:
        video = upload(client, clip, "Plain files")
        follow(client, video["id"])
        found = files_of(client, video["id"])
        assert [movie["name"] for movie in found["movies"]] == ["360p", "120p"]
        url = found["movies"][0]["url"].replace("_360p", "")
        done = subprocess.run(
            [find_ffmpeg(), "-v", "error", "-i", f"{site.url}{url}", "-f", "null", "-",
             "-progress", "pipe:1"],
            capture_output=True,
            text=True,
        )  # fmt: skip
        assert not done.stderr
        assert f"frame={SECONDS * 25}" in done.stdout
        part = stranger.get(url.replace(".mp4", "_hd1080.mp4"), headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        vtt = stranger.get(found["storyboard_url"])
        assert len(re.findall(r" --> ", vtt.text)) == SECONDS
        sprite = httpx.URL(f"{site.url}{found['storyboard_url']}").join(vtt.text.split("\n")[3])
        assert stranger.get(sprite).content.startswith(b"\xff\xd8\xff")
        assert client.delete(f"/api/v1/videos/{video['id']}?permanently=true").status_code == 204
        assert stranger.get(url).status_code == 404
