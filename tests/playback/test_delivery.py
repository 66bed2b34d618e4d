"""Who sends the bytes of videos: this process, the proxy, the bucket or a CDN."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin

import httpx
import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

import s3_server
from api_process import serving
from compat.playable import PART_BYTES, add_playable
from conftest import PASSWORD
from journeys.conftest import free_port
from videoflix.accounts.service import Accounts
from videoflix.platform.auth.identity import Role
from videoflix.platform.http import delivery
from videoflix.platform.postgres.session import alchemy, transaction
from videoflix.platform.storage import signed_urls
from videoflix.platform.storage.cdn_signers import NginxSecureLink
from videoflix.platform.storage.media_storage import Storage, media_storage
from videoflix.platform.storage.signed_urls import check_delivery, delivery_origin
from videoflix.playback.service.segments import store
from videoflix.sessions.service.sessions import Sessions
from videoflix.settings import read_settings, settings

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
CADDY = Path(sys.executable).with_name("caddyserver")
Configure = Callable[..., None]


@pytest.fixture
async def film(session: AsyncSession) -> AsyncIterator[int]:
    video = await add_playable(session)
    yield video
    await media_storage().delete_below(f"assets/playable-{video}")


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    def change(**changes: Any) -> None:
        changed = msgspec.structs.replace(settings, **changes)
        for module in (delivery, signed_urls):
            monkeypatch.setattr(module, "settings", changed)
        store.clear()
        signed_urls.cdn_signer.cache_clear()

    yield change
    store.clear()
    signed_urls.cdn_signer.cache_clear()


async def playlist_of(client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int) -> str:
    """The URL of a rendition's playlist, by a play token in the path."""
    played = await viewer.post(f"/api/v1/videos/{film}/play")
    master = str(played.json()["master_url"])
    text = (await client.get(master)).text
    return urljoin(master, next(line for line in text.splitlines() if "/360p/" in line))


async def ranges_of(client: httpx.AsyncClient, playlist: str) -> list[tuple[str, str]]:
    """URL and Range header of the initialisation section and each segment."""
    text = (await client.get(playlist)).text
    found = re.findall(r'MAP:URI="([^"]+)",BYTERANGE="(\d+)@(\d+)"', text)
    found += [
        (uri, length, offset)
        for length, offset, uri in re.findall(r"BYTERANGE:(\d+)@(\d+)\n(.+)", text)
    ]
    return [
        (urljoin(playlist, uri), f"bytes={offset}-{int(offset) + int(length) - 1}")
        for uri, length, offset in found
    ]


async def test_parts_are_served_in_ranges_also_without_delegation(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int, configure: Configure
) -> None:
    """Playlists of another mode stay valid when the operator changes back to `app`."""
    configure(delivery="accel")
    playlist = await playlist_of(client, viewer, film)
    parts = await ranges_of(client, playlist)
    configure(delivery="app")
    answers = [await client.get(url, headers={"Range": part}) for url, part in parts]
    assert [found.content for found in answers] == [b"init", b"first!", b"second"]
    assert {found.status_code for found in answers} == {206}
    assert [url.rpartition("/")[2] for url, _ in parts] == [
        "part-0.mp4", "part-0-00000.mp4", "part-0-00001.mp4",
    ], "URIs differ, or FFmpeg 9.0 would stop after the first segment"  # fmt: skip
    store.clear()
    assert "part-" not in (await client.get(playlist)).text
    beyond = await client.get(urljoin(playlist, "part-1.mp4"))
    assert beyond.status_code == 404


async def test_accel_names_the_file_to_the_proxy(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, film: int, configure: Configure
) -> None:
    configure(delivery="accel")
    playlist = await playlist_of(client, viewer, film)
    (url, _), *_ = await ranges_of(client, playlist)
    found = await client.get(url)
    assert found.headers["x-accel-redirect"] == f"/_media/assets/playable-{film}/360p.mp4"
    assert (found.status_code, found.content) == (200, b"")
    configure(
        delivery="accel", delivery_accel_header="X-Sendfile", delivery_accel_prefix="/srv/media/"
    )
    found = await client.get(url)
    assert found.headers["x-sendfile"] == f"/srv/media/assets/playable-{film}/360p.mp4"
    assert "x-accel-redirect" not in found.headers
    refused = await client.get(url.replace("/play/", "/play/x"))
    assert refused.status_code == 401
    assert "x-sendfile" not in refused.headers


async def test_cdn_urls_are_equal_for_viewers_and_given_to_those_who_may(
    client: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    editor: httpx.AsyncClient,
    film: int,
    configure: Configure,
) -> None:
    configure(
        delivery="cdn",
        cdn_url="https://cdn.example/media",
        cdn_secret_key="secret",
        delivery_url_seconds=3600,
    )
    playlists = [await playlist_of(client, one, film) for one in (viewer, editor)]
    assert playlists[0] != playlists[1]
    assert (await client.get(playlists[0])).text == (await client.get(playlists[1])).text
    urls = [(await ranges_of(client, one))[0][0] for one in playlists]
    answers = [await client.get(url) for url in urls]
    assert {found.status_code for found in answers} == {302}
    assert answers[0].headers["cache-control"] == "private, no-store"
    locations = {found.headers["location"] for found in answers}
    assert len(locations) == 1
    (location,) = locations
    path = f"https://cdn.example/media/assets/playable-{film}/360p.mp4"
    assert location.startswith(f"{path}?md5=")
    assert 3600 <= int(location.rpartition("expires=")[2]) - time.time() <= 7200
    head = await client.head(urls[0])
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(PART_BYTES)))
    await viewer.post("/api/v1/auth/logout")
    assert (await client.get(urls[0])).status_code == 401


async def test_urls_change_with_their_window_only(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(
        delivery="cdn",
        cdn_url="https://cdn.example",
        cdn_secret_key="secret",
        delivery_url_seconds=60,
    )
    found = []
    for now in (6000, 6059.9, 6060):
        monkeypatch.setattr(signed_urls, "time", SimpleNamespace(time=partial(float, now)))
        found.append(await signed_urls.signed_url("assets/a/b.mp4"))
    assert found[0] == found[1] != found[2]
    assert [url.rpartition("=")[2] for url in found] == ["6120", "6120", "6180"]


async def test_bucket_sends_ranges_of_presigned_urls(
    client: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    film: int,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with s3_server.running_s3() as s3:
        s3_server.make_bucket(s3, "films")
        for name, value in s3_server.environment(s3).items():
            monkeypatch.setenv(name, value)
        bucket = Storage("s3://films/site")
        async with bucket.writing(f"assets/playable-{film}/360p.mp4") as writer:
            await writer.write(PART_BYTES)
        monkeypatch.setattr(signed_urls, "media_storage", lambda: bucket)
        configure(delivery="presigned", delivery_url_seconds=3600)
        assert delivery_origin() == s3
        check_delivery()
        parts = await ranges_of(client, await playlist_of(client, viewer, film))
        redirects = [await client.get(url, headers={"Range": part}) for url, part in parts]
        assert len({found.headers["location"] for found in redirects}) == 1, "cacheable"
        async with httpx.AsyncClient() as player:
            answers = [
                await player.get(found.headers["location"], headers={"Range": part})
                for found, (_, part) in zip(redirects, parts, strict=True)
            ]
    assert [found.content for found in answers] == [b"init", b"first!", b"second"]
    expiry = int(re.findall(r"X-Amz-Expires=(\d+)", redirects[0].headers["location"])[0])
    assert 3600 <= expiry <= 7200


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"DELIVERY": "presigned"}, "needs a bucket"),
        ({"DELIVERY": "cdn"}, "needs CDN_URL and CDN_SECRET_KEY"),
        ({"DELIVERY": "cdn", "CDN_URL": "https://c", "CDN_SIGNER": "cloudfront"}, "CDN_SECRET_KEY"),
        (
            {
                "DELIVERY": "cdn",
                "CDN_URL": "https://c",
                "CDN_SIGNER": "cloudfront",
                "CDN_SECRET_KEY": "x",
            },
            "CDN_SECRET_KEY is wrong",
        ),
    ],
)
def test_modes_that_cannot_work_are_refused_at_start(
    configure: Configure, given: dict[str, str], sentence: str
) -> None:
    read = read_settings(given)
    names = ("delivery", "cdn_url", "cdn_signer", "cdn_secret_key")
    configure(**{name: getattr(read, name) for name in names})
    with pytest.raises(SystemExit, match=sentence):
        check_delivery()


def test_accel_needs_a_folder(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_urls, "media_storage", lambda: Storage("s3://films"))
    configure(delivery="accel")
    with pytest.raises(SystemExit, match="needs a folder"):
        check_delivery()


# The examples in deploy/, with real proxies


@contextmanager
def proxy(command: list[str], port: int) -> Iterator[str]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 20
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health/live")
                break
            except httpx.TransportError:
                if process.poll() is not None or time.monotonic() > until:
                    process.kill()
                    raise AssertionError(process.communicate()[1].decode()) from None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate()


def adapted(name: str, folder: Path, api: int, ports: dict[str, str]) -> Path:
    """An example with this machine's ports and folders."""
    text = (DEPLOY / name).read_text()
    text = text.replace("/var/lib/videoflix/media", str(media_storage().folder))
    text = text.replace("127.0.0.1:8001", f"127.0.0.1:{api}")
    text = re.sub(r"\s+(server )?127\.0\.0\.1:8002;?", "", text)
    text = text.replace("/run/nginx.pid", str(folder / "pid"))
    for old, new in ports.items():
        assert old in text
        text = text.replace(old, new)
    file = folder / name
    file.write_text(text)
    return file


def nginx_files(folder: Path) -> str:
    """Where nginx may write without being root, or as root read everything."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"{kind}_temp_path {folder / kind};" for kind in kinds) + "sendfile on;"


@contextmanager
def running_nginx(folder: Path, api: int) -> Iterator[tuple[str, str]]:
    """The URLs of the site, and of the CDN of one's own."""
    port, cdn = free_port(), free_port()
    ports = {
        "listen 80;": f"listen 127.0.0.1:{port};",
        "listen 8081;": f"listen 127.0.0.1:{cdn};",
        "sendfile on;": nginx_files(folder),
    }
    file = adapted("nginx.conf", folder, api, ports)
    main = "daemon off;" + ("user root;" if os.geteuid() == 0 else "")
    command = [str(NGINX), "-c", str(file), "-e", "stderr", "-g", main]
    with proxy(command, port) as site:
        yield site, f"http://127.0.0.1:{cdn}/media"


@contextmanager
def running_caddy(folder: Path, api: int) -> Iterator[str]:
    port = free_port()
    ports = {":80 {": f"{{\n\tadmin off\n}}\nhttp://127.0.0.1:{port} {{"}
    file = adapted("Caddyfile.accel", folder, api, ports)
    with proxy([str(CADDY), "run", "--config", str(file), "--adapter", "caddyfile"], port) as site:
        yield site


@pytest.fixture
async def playable(committed: None) -> AsyncIterator[tuple[int, str]]:
    """A film that other processes see, and an access token."""
    async with transaction() as session:
        user = await Accounts(session).create_user(
            email="ada@example.org", password=PASSWORD, first_name="Ada", role=Role.VIEWER
        )
        pair = await Sessions(session).open(user)
    async with alchemy.get_session() as session:
        film = await add_playable(session)
    yield film, pair.access
    await media_storage().delete_below(f"assets/playable-{film}")


async def assert_proxy_sends(site: str, film: int, token: str) -> None:
    """The file itself, in ranges, with our headers; and nothing without a token."""
    async with httpx.AsyncClient(base_url=site) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        playlist = await playlist_of(client, client, film)
        del client.headers["Authorization"]
        parts = await ranges_of(client, playlist)
        answers = [await client.get(url, headers={"Range": part}) for url, part in parts]
        assert [found.content for found in answers] == [b"init", b"first!", b"second"]
        for found in answers:
            assert found.status_code == 206
            assert found.headers["content-type"] == "video/mp4"
            assert "immutable" in found.headers["cache-control"]
            assert found.headers["access-control-allow-origin"] == "*"
            assert "x-accel-redirect" not in found.headers
        hidden = await client.get(f"/_media/assets/playable-{film}/360p.mp4")
        assert hidden.status_code == 404
        refused = await client.get(parts[0][0].replace("/play/", "/play/x"))
        assert refused.status_code == 401


async def assert_cdn_verifies(cdn: str, film: int) -> None:
    path, now = f"/media/assets/playable-{film}/360p.mp4", int(time.time())
    url = cdn.removesuffix("/media") + path
    signer = NginxSecureLink("SECRET")
    async with httpx.AsyncClient(headers={"Range": "bytes=4-9"}) as client:
        found = await client.get(signer.sign(url, path, 0, now + 60))
        assert (found.status_code, found.content) == (206, b"first!")
        assert (await client.get(signer.sign(url, path, 0, now - 60))).status_code == 410
        forged = signer.sign(url, path, 0, now + 60).replace("360p", "120p")
        assert (await client.get(forged)).status_code == 403


async def test_examples_of_proxies(playable: tuple[int, str], tmp_path: Path) -> None:
    has_nginx, has_caddy = NGINX is not None, CADDY.exists()
    if not has_nginx and not has_caddy:
        pytest.skip("neither nginx nor Caddy is installed")
    with serving(DELIVERY="accel") as api:
        if has_nginx:
            with running_nginx(tmp_path, api.port) as (site, cdn):
                await assert_proxy_sends(site, *playable)
                await assert_cdn_verifies(cdn, playable[0])
        if has_caddy:
            with running_caddy(tmp_path, api.port) as site:
                await assert_proxy_sends(site, *playable)
