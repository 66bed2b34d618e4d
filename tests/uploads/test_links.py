"""Links to upload files without an account."""

from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import http_client
from uploads.test_tus import stored
from uploads.tus_client import BYTES, TUS, UPLOADS, created, metadata, send
from videoflix.accounts.models import User
from videoflix.catalog.models import Video
from videoflix.platform.storage.media_storage import Storage
from videoflix.uploads.models import Upload, UploadLink
from videoflix.uploads.service.sweeping import sweep_uploads

LINKS = "/api/v1/upload-links"
pytestmark = pytest.mark.usefixtures("storage")


async def new_link(editor: httpx.AsyncClient, **fields: Any) -> str:
    """The URL of a new link."""
    answer = await editor.post(LINKS, json={"label": "A partner"} | fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


async def announce(
    client: httpx.AsyncClient, link: str, length: int, **more: str
) -> httpx.Response:
    headers = TUS | {"Upload-Length": str(length), "Upload-Metadata": metadata(filename="a.mp4")}
    return await client.post(link, headers=headers | more)


async def test_partner_uploads_a_file_without_an_account(
    editor: httpx.AsyncClient, client: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    link = await new_link(editor, max_bytes=10)
    offer = (await client.get(link)).json()
    assert (offer["label"], offer["files_left"], offer["max_bytes"]) == ("A partner", 1, 10)
    described = metadata(title="Theirs", description="D", publish="true", age_rating="18")
    answer = await announce(client, link, 6, **{"Upload-Metadata": described})
    assert answer.status_code == 201, answer.text
    url = answer.headers["location"]
    assert url.startswith(link.removeprefix("http://test"))
    await send(client, url, 0, b"abc")
    assert (await client.head(url, headers=TUS)).headers["upload-offset"] == "3"
    assert (await send(client, url, 3, b"def")).status_code == 204
    video = (await session.scalars(select(Video))).one()
    assert (video.title, video.description, video.age_rating) == ("Theirs", "D", 0)
    assert video.published_at is None
    assert await stored(session, storage) == b"abcdef"
    assert (await announce(client, link, 6)).status_code == 404  # used up


async def test_link_has_a_target_or_details(
    editor: httpx.AsyncClient, client: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    video = (await editor.post("/api/v1/videos", json={"title": "Draft"})).json()["id"]
    link = await new_link(editor, video_id=video)
    url = (await announce(client, link, 3)).headers["location"]
    await send(client, url, 0, b"abc")
    assert await stored(session, storage) == b"abc"
    assert (await session.scalars(select(Video.id))).all() == [video]
    link = await new_link(editor, draft={"title": "Ours", "age_rating": 12})
    described = {"Upload-Metadata": metadata(title="Theirs")}
    url = (await announce(client, link, 3, **described)).headers["location"]
    await send(client, url, 0, b"abc")
    titles = await session.execute(select(Video.title, Video.age_rating).order_by(Video.id))
    assert [*titles][-1] == ("Ours", 12)


async def test_limits_of_a_link(editor: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    link = await new_link(editor, max_bytes=10, max_files=2)
    assert (await announce(client, link, 11)).status_code == 413
    deferred = TUS | {"Upload-Defer-Length": "1", "Upload-Metadata": metadata(title="T")}
    assert (await client.post(link, headers=deferred)).status_code == 400
    partial = {"Upload-Concat": "partial"}
    assert (await announce(client, link, 3, **partial)).status_code == 400
    first = (await announce(client, link, 3)).headers["location"]
    assert (await announce(client, link, 3)).status_code == 201
    assert (await announce(client, link, 3)).status_code == 404
    assert (await client.delete(first, headers=TUS)).status_code == 204
    assert (await announce(client, link, 3)).status_code == 201  # the removed one was given back


async def test_link_reaches_only_its_own_uploads(
    editor: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    own = await created(editor, 6)
    link, other = await new_link(editor), await new_link(editor)
    url = (await announce(client, link, 6)).headers["location"]
    name = url.rpartition("/")[2]
    for reached in (f"{link}/{own.rpartition('/')[2]}", f"{other}/{name}"):
        assert (await client.head(reached, headers=TUS)).status_code == 404
        assert (await send(client, reached, 0, b"abc")).status_code == 404
        assert (await client.delete(reached, headers=TUS)).status_code == 404
    assert (await client.head(f"{UPLOADS}/{name}", headers=TUS)).status_code == 401
    assert (await editor.head(f"{UPLOADS}/{name}", headers=TUS)).status_code == 200


async def test_revoked_link_stops_its_uploads(
    editor: httpx.AsyncClient, client: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    link = await new_link(editor)
    url = (await announce(client, link, 6)).headers["location"]
    await send(client, url, 0, b"abc")
    (listed,) = (await editor.get(LINKS)).json()["items"]
    assert (listed["used"], listed["revoked_at"]) == (1, None)
    assert (await editor.delete(f"{LINKS}/{listed['id']}")).status_code == 204
    assert (await send(client, url, 3, b"def")).status_code == 404
    assert (await client.get(link)).json()["type"] == "/problems/upload-link-not-found"
    assert (await session.scalars(select(Upload))).all() == []
    await sweep_uploads()
    assert await storage.keys("uploads") == []


@pytest.mark.parametrize(
    "statement",
    [
        update(UploadLink).values(expires_at=text("now() - interval '1 second'")),
        update(User).values(role="viewer"),
        update(User).values(is_active=False),
    ],
)
async def test_link_ends_with_its_time_and_with_its_creators_role(
    editor: httpx.AsyncClient, client: httpx.AsyncClient, session: AsyncSession, statement: Any
) -> None:
    link = await new_link(editor)
    url = (await announce(client, link, 6)).headers["location"]
    await session.execute(statement)
    await session.commit()
    assert (await client.get(link)).status_code == 404
    assert (await announce(client, link, 6)).status_code == 404
    assert (await send(client, url, 0, b"abc")).status_code == 404


async def test_pages_of_other_sites_may_use_a_link(
    app: Litestar, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    link = await new_link(editor)
    page = {"Origin": "https://partner.example", "Sec-Fetch-Site": "cross-site"}
    async with http_client(app, page | {"Cookie": "access_token=x"}) as browser:
        preflight = await browser.options(link, headers={"Access-Control-Request-Method": "PATCH"})
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        assert "upload-offset" in preflight.headers["access-control-allow-headers"]
        answer = await announce(browser, link, 3)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "upload-offset" in answer.headers["access-control-expose-headers"]
        done = await send(browser, answer.headers["location"], 0, b"abc")
        assert (done.status_code, done.headers["upload-offset"]) == (204, "3")
        refused = await browser.post(UPLOADS, headers=TUS | BYTES)
        assert "access-control-allow-origin" not in refused.headers


async def test_other_users_do_not_see_links(
    editor: httpx.AsyncClient, admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    await new_link(editor)
    (listed,) = (await editor.get(LINKS)).json()["items"]
    assert (await admin.get(LINKS)).json()["total"] == 0
    assert (await admin.delete(f"{LINKS}/{listed['id']}")).status_code == 404
    assert (await viewer.post(LINKS, json={"label": "L"})).status_code == 403


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"label": ""}, 400),
        ({"max_files": 0}, 400),
        ({"lifetime_seconds": 1}, 400),
        ({"video_id": 7}, 404),
        ({"draft": {"title": "T", "categories": [7]}}, 404),
    ],
)
async def test_impossible_links_are_refused(
    editor: httpx.AsyncClient, fields: dict[str, Any], status: int
) -> None:
    answer = await editor.post(LINKS, json={"label": "L"} | fields)
    assert answer.status_code == status
