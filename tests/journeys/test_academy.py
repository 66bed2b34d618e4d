"""An older front end, from signing in to the last picture, on the real server and workers."""

import re
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from journeys.conftest import Site, follow
from journeys.test_film import decoded_frames
from media.clips import make_clip

pytest.importorskip("videoflix.compat", reason="the dialects were removed")
pytestmark = pytest.mark.journey


def named(playlist: str) -> list[str]:
    """What a playlist names: in lines of their own, and in attributes."""
    lines = playlist.splitlines()
    own = [line for line in lines if line and not line.startswith("#")]
    return [*re.findall(r'URI="([^"]+)"', playlist), *own]


@pytest.mark.parametrize("slash", ["", "/"])
def test_cookies_are_enough_for_a_whole_film(site: Site, tmp_path: Path, slash: str) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=5, size="426x240")
    with httpx.Client(base_url=site.url, timeout=60) as client:
        signed_in = client.post(
            f"/api/login{slash}", json={"email": site.email, "password": site.password}
        )
        assert signed_in.status_code == 200
        shelf = client.post(f"/api/categories{slash}", json={"name": f"Shelf {len(slash)}"}).json()
        fields = {
            "title": f"Older{slash}",
            "description": "",
            "duration": "1",
            "category_id": str(shelf["id"]),
            "user": "1",
        }
        with clip.open("rb") as file:
            made = client.post(
                f"/api/video{slash}", data=fields, files={"video_file": ("clip.mp4", file)}
            )
        assert made.status_code == 201, made.text
        film = client.get(f"/api/video/new{slash}").json()
        assert film["title"] == f"Older{slash}"
        assert follow(client, film["id"])[-1]["state"] == "ready"
        manifest = f"{site.url}/api/video/{film['id']}/480p/index.m3u8"
        playlists = [urljoin(manifest, name) for name in named(client.get(manifest).text)]
        assert len(playlists) == 2, "the picture, and the sound beside it"
        for playlist in playlists:
            listed = client.get(playlist + slash).text
            for part in named(listed):
                got = client.get(urljoin(playlist, part) + slash)
                assert got.status_code == 200
                assert got.content
        cookie = f"Cookie: access_token={client.cookies['access_token']}\r\n"
    assert decoded_frames(manifest, "-headers", cookie) == 5 * 25
