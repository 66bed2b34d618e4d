"""Audio tracks and subtitles in a real browser: hls.js follows the playlist, and the page offers
what it finds.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from journeys.browsing import DESKTOP, PHONE, SHOTS, browser, expected, page, shoot, sign_in
from journeys.conftest import Site, follow, upload
from journeys.test_browser import advances, until, video
from media.clips import ffmpeg
from videoflix.media.ffmpeg import find_ffmpeg

__all__ = ["browser", "expected", "page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]

SECONDS = 10
CHAPTERS = (("Departure", 0, 4), ("The long way home", 4, 7), ("Arrival", 7, 10))


def make_recording(folder: Path) -> Path:
    """German in 5.1 and English in stereo, each with its subtitles."""
    inputs: list[str | Path] = ["-f", "lavfi", "-i", f"testsrc2=s=320x180:r=25:d={SECONDS}"]
    for tone in (300, 600):
        inputs += ["-f", "lavfi", "-i", f"sine=f={tone}:d={SECONDS}"]
    for language, line in (("de", "Guten Tag"), ("en", "Hello")):
        file = folder / f"{language}.srt"
        file.write_text(f"1\n00:00:00,100 --> 00:00:09,000\n{line}\n")
        inputs += ["-i", file]
    chapters = folder / "chapters.txt"
    chapters.write_text(
        ";FFMETADATA1\n"
        + "".join(
            f"[CHAPTER]\nTIMEBASE=1/1\nSTART={start}\nEND={end}\ntitle={title}\n"
            for title, start, end in CHAPTERS
        )
    )
    inputs += ["-i", chapters]
    options = [
        "-map", "0", "-map", "1", "-map", "2", "-map", "3", "-map", "4", "-map_metadata", "5",
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-ac:a:0", "6", "-ac:a:1", "2", "-c:s", "subrip",
        "-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=eng",
        "-metadata:s:s:0", "language=ger", "-metadata:s:s:1", "language=eng",
    ]  # fmt: skip
    film = folder / "two-languages.mkv"
    ffmpeg(*inputs, *options, film)
    return film


def shown(page: Page) -> list[str]:
    """The subtitles on the screen."""
    found: list[str] = page.evaluate(
        "[...document.querySelector('video').textTracks].filter(t => t.mode === 'showing')"
        ".flatMap(t => [...(t.activeCues ?? [])].map(cue => cue.text))"
    )
    return found


def until_shown(page: Page, *lines: str) -> None:
    for _ in range(60):
        if shown(page) == list(lines):
            return
        page.wait_for_timeout(200)
    pytest.fail(f"{shown(page)} is shown, not {lines}")


def test_viewers_choose_audio_and_subtitles(page: Page, site: Site, tmp_path: Path) -> None:
    with site.client() as client:
        film = upload(client, make_recording(tmp_path), "Two languages")
        assert follow(client, film["id"])[-1]["state"] == "ready"
    sign_in(page, site)
    page.get_by_role("link", name="Two languages").first.click()
    expect(page.locator(".big-play")).to_be_visible(timeout=60_000)
    page.set_viewport_size(PHONE)
    page.locator(".big-play").click()  # nothing lies over it
    until(page, "!v.paused")
    page.set_viewport_size(DESKTOP)
    audio, subtitles = page.get_by_label("Audio"), page.get_by_label("Subtitles (c)")
    expect(audio.locator("option")).to_have_text(["Deutsch", "English"])
    expect(subtitles.locator("option")).to_have_text(["Off", "Deutsch", "English"])
    qualities = page.get_by_label("Quality").locator("option")
    names = qualities.all_text_contents()
    assert len(names) == len(set(names)), names
    advances(page)
    assert shown(page) == []
    subtitles.select_option(label="Deutsch")
    until_shown(page, "Guten Tag")
    shoot(page, "subtitles")
    audio.select_option(label="English")
    subtitles.select_option(label="English")
    until_shown(page, "Hello")
    advances(page)
    until(page, "v.webkitAudioDecodedByteCount > 0")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("c")
    until_shown(page)
    page.keyboard.press("c")
    page.reload()
    # The languages are remembered.
    page.locator(".big-play").click(timeout=60_000)
    expect(audio).to_have_value("1")
    page.evaluate("document.querySelector('video').currentTime = 1")
    advances(page)
    until_shown(page, "Hello")
    assert video(page, "videoHeight") > 0


def test_seek_bar_shows_previews_and_chapters(page: Page, site: Site) -> None:
    """On a desktop by hovering and by keyboard, on a phone by dragging and tapping."""
    with site.client() as client:
        found = client.get("/api/v1/videos", params={"search": "languages"}).json()["items"][0]
        for _ in range(100):
            if client.get(f"/api/v1/videos/{found['id']}/files").json()["storyboard_url"]:
                break
            page.wait_for_timeout(300)
    sign_in(page, site)
    page.get_by_role("link", name="Two languages").first.click()
    expect(page.locator(".marks i")).to_have_count(2)
    page.locator(".big-play").click(timeout=60_000)
    until(page, "v.readyState >= 2 && !v.paused")
    page.evaluate("document.querySelector('video').pause()")
    page.evaluate("document.querySelector('video').currentTime = 0")
    hover(page, 0.5)
    preview = page.locator(".preview")
    expect(preview).to_contain_text("The long way home")
    expect(preview).to_contain_text("0:05")
    # The pointer rests while the storyboard is loaded.
    expect(preview.locator(".thumbnail")).to_be_visible(timeout=10_000)
    places = page.evaluate(
        "() => { const s = document.querySelector('.thumbnail').style;"
        " return [s.backgroundImage, s.backgroundPosition, s.width] }"
    )
    assert ".jpg" in places[0]
    assert places[1:] != ["0px 0px", ""], places
    shoot_at(page, "preview", 0.5)
    chapters = page.locator(".chapter-button")
    expect(chapters).to_have_text("Departure")
    chapters.click()
    expect(page.locator(".chapter-list button")).to_have_text(
        ["0:00Departure", "0:04The long way home", "0:07Arrival"]
    )
    page.keyboard.press("Escape")
    expect(page.locator(".chapter-list")).to_be_hidden()
    chapters.click()
    shoot(page, "chapters")
    page.set_viewport_size(PHONE)
    page.get_by_role("button", name="Arrival").click()
    until(page, "Math.abs(v.currentTime - 7) < 0.5")
    expect(chapters).to_have_text("Arrival")
    expect(page.locator(".seek")).to_have_attribute("aria-valuetext", "0:07 of 0:10, Arrival")
    drag(page, 0.8, 0.2)
    until(page, "Math.abs(v.currentTime - 2) < 0.5")


def hover(page: Page, share: float) -> None:
    x, y = place(page, share)
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)


def drag(page: Page, start: float, end: float) -> None:
    """Along the seek bar; the preview follows."""
    page.mouse.move(*place(page, start))
    page.mouse.down()
    page.mouse.move(*place(page, (start + end) / 2))
    page.mouse.move(*place(page, end))
    expect(page.locator(".preview")).to_contain_text("Departure")
    page.mouse.up()


def place(page: Page, share: float) -> tuple[float, float]:
    """Where a share of the film is on the seek bar."""
    box = page.locator(".seek").bounding_box()
    assert box
    return box["x"] + 7.5 + share * (box["width"] - 15), box["y"] + box["height"] / 2


def shoot_at(page: Page, name: str, share: float) -> None:
    """Keep a picture of the preview on a desktop and on a phone."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    for kind, size in (("phone", PHONE), ("desktop", DESKTOP)):
        page.set_viewport_size(size)
        hover(page, share)
        box = page.locator(".preview").bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size["width"]
        page.screenshot(path=SHOTS / f"{name}-{kind}.png")


def test_ffmpeg_reads_every_track(site: Site, tmp_path: Path) -> None:
    """A player without hls.js finds two audio tracks, 5.1 beside stereo, and the subtitles."""
    with site.client() as client:
        found = client.get("/api/v1/videos", params={"search": "languages"}).json()["items"][0]
        play = client.post(f"/api/v1/videos/{found['id']}/play").json()
    url = f"{site.url}{play['master_url']}"
    written = tmp_path / "out.mkv"
    ffmpeg("-i", url, "-map", "0", "-c", "copy", written)
    listed = subprocess.run(
        [find_ffmpeg(), "-hide_banner", "-i", written], capture_output=True, text=True, check=False
    ).stderr
    assert listed.count("Audio: aac") >= 3, listed
    assert "5.1" in listed
    assert listed.count("Subtitle: webvtt") == 2, listed


def test_playlists_conform_and_dash_has_the_same_film(site: Site, tmp_path: Path) -> None:
    with site.client() as client:
        found = client.get("/api/v1/videos", params={"search": "languages"}).json()["items"][0]
        play = client.post(f"/api/v1/videos/{found['id']}/play").json()
    read = subprocess.run(
        [find_ffmpeg(), "-hide_banner", "-i", f"{site.url}{play['dash_url']}", "-map", "0",
         "-map", "-0:s", "-f", "null", "-"],
        capture_output=True, text=True, check=False,
    ).stderr  # fmt: skip
    assert re.findall(r"frame= *(\d+)", read)[-1] == str(25 * SECONDS), read
    assert read.count("Audio: aac") >= 3
    assert "5.1" in read
    assert read.count("Subtitle: webvtt") == 2
    by_url, by_id = (
        check_hls(site, target) for target in (site.url + play["master_url"], str(found["id"]))
    )
    assert (by_url.returncode, by_id.returncode) == (0, 0), by_url.stdout + by_id.stdout
    assert by_url.stdout == by_id.stdout
    assert by_id.stdout.endswith("0 errors, 0 warnings.\n")
    assert "180p/iframes.m3u8" in by_id.stdout
    assert check_hls(site, "999999").returncode == 2
    for file in (site.home / "media").rglob("180p.mp4"):
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 10])
    broken = check_hls(site, str(found["id"]), "--json")
    rules = {finding["rule"] for finding in json.loads(broken.stdout)["findings"]}
    assert (broken.returncode, rules) == (1, {"segment"})


def check_hls(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "videoflix.cli", "hls", "check", *arguments]
    return subprocess.run(
        command, env=site.environment, capture_output=True, text=True, check=False
    )
