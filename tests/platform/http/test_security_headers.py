"""Every response: headers that keep browsers from misusing it, and links of our own site."""

from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar, get
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from conftest import PASSWORD, http_client
from videoflix.accounts.service import Accounts
from videoflix.platform.auth import cookies
from videoflix.platform.auth.identity import Role
from videoflix.platform.http import security_headers, urls
from videoflix.platform.observability.access_log import AccessLogMiddleware
from videoflix.settings import settings

EVIL = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
ANSWERS = [
    ("GET", "/health/live", 200),
    ("GET", "/api/v1/videos", 401),
    ("GET", "/nowhere", 404),
    ("GET", "/api/v1/nowhere", 404),
    ("PUT", "/health/live", 405),
    ("OPTIONS", "/health/live", 204),
    ("GET", "/", 200),
    ("GET", "/admin", 303),
    ("GET", "/assets/app.js", 200),
    ("GET", "/assets/icon.svg", 200),
    ("GET", "/schema", 200),
    ("GET", "/schema/openapi.json", 200),
    ("GET", "/movies", 200),
    ("GET", "/api/v1/videos/1/poster.jpg", 404),
]


@pytest.fixture
def over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    secure = msgspec.structs.replace(settings, site_url="https://films.example")
    for module in (cookies, urls, security_headers):
        monkeypatch.setattr(module, "settings", secure)


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
@pytest.mark.usefixtures("over_tls")
async def test_every_answer_has_the_headers(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] in {"same-origin", "cross-origin"}
    for name, value in answer.headers.multi_items():
        assert value.count("charset") <= 1, name


async def test_crashes_have_the_headers(session: AsyncSession) -> None:
    @get("/crash")
    async def crash() -> None:
        raise RuntimeError

    site = Litestar([crash], openapi_config=None)
    site.asgi_handler = AccessLogMiddleware(site.asgi_handler)
    async with http_client(site) as client:
        answer = await client.get("/crash")
    assert answer.status_code == 500
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in answer.headers, "without TLS it is ignored"


async def test_data_opened_as_a_page_may_do_nothing(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.get("/api/v1/videos")
    assert answer.headers["content-security-policy"] == security_headers.DATA_POLICY.decode()
    page = await viewer.get("/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["cross-origin-opener-policy"] == "same-origin"


async def test_links_never_repeat_the_host_header(
    client: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    editor: httpx.AsyncClient,
    session: AsyncSession,
) -> None:
    (film,) = await add_films(session, {"title": "Alien", "poster": "p"})
    await session.commit()
    paths = [
        "/movies",
        "/api/v1/movies/?query=alien",
        "/api/v1/movies/ratings",
        "/api/v1/videos",
        f"/api/v1/videos/{film}",
        "/api/videos/",
        f"/api/videos/{film}/",
        "/api/video/",
        f"/api/video/{film}/",
        "/api/",
        "/schema/openapi.json",
        "/schema",
        "/",
        "/admin",
        "/api/v1/nowhere",
        "/movies/",
        "/api/v1/videos/",
    ]
    for path in paths:
        for one in (client, viewer):
            answer = await one.get(path, headers=EVIL)
            assert "evil.example" not in answer.text, path
            assert not any("evil.example" in value for value in answer.headers.values()), path
    made = await editor.post("/api/v1/videos", json={"title": "Draft"}, headers=EVIL)
    assert made.status_code == 201
    assert "evil" not in made.headers["location"]


async def opened(client: httpx.AsyncClient, session: AsyncSession) -> list[str]:
    """The Set-Cookie headers of a sign-in."""
    await Accounts(session).create_user(
        email="cookie@example.org", password=PASSWORD, role=Role.VIEWER
    )
    await session.commit()
    body = {"email": "cookie@example.org", "password": PASSWORD}
    answer = await client.post("/api/v1/auth/session", json=body)
    assert answer.status_code == 200, answer.text
    return answer.headers.get_list("set-cookie")


@pytest.mark.usefixtures("over_tls")
async def test_cookies_over_tls_are_bound_to_this_site(
    app: Litestar, session: AsyncSession
) -> None:
    async with http_client(app) as client:
        found = await opened(client, session)
    assert len(found) == 3
    for line in found:
        name = line.partition("=")[0]
        attributes = {part.strip().lower() for part in line.split(";")[1:]}
        assert "secure" in attributes
        assert not any(part.startswith("domain") for part in attributes)
        assert {"samesite=lax", "samesite=strict"} & attributes
        if name.startswith("__Host-"):
            assert "path=/" in attributes
        else:
            assert name == "__Secure-refresh_token"
        assert ("httponly" in attributes) == (name != "__Host-csrftoken")


@pytest.mark.parametrize("prefix", ["", "__Host-"])
@pytest.mark.usefixtures("over_tls")
async def test_cookies_of_the_last_release_are_still_read(
    app: Litestar, session: AsyncSession, prefix: str
) -> None:
    async with http_client(app) as client:
        lines = await opened(client, session)
        access = lines[0].partition(";")[0].removeprefix("__Host-")
        answer = await client.get("/api/v1/me", headers={"Cookie": prefix + access})
        assert answer.status_code == 200


async def test_cookies_without_tls_have_plain_names(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    names = {line.partition("=")[0] for line in await opened(client, session)}
    assert names == {"access_token", "refresh_token", "csrftoken"}


async def test_too_many_cookies_are_refused(client: httpx.AsyncClient) -> None:
    many = "; ".join(f"c{n}=1" for n in range(150))
    assert (await client.get("/api/v1/me", headers={"Cookie": many})).status_code == 431


async def test_too_many_parameters_are_refused(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.get("/api/v1/videos?" + "&".join("a=1" for _ in range(150)))
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


JSON_BODY = b'{"email": "cookie@example.org", "password": "correct horse battery staple"}'


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 401),
        ("application/json; charset=utf-8", 401),
        ("application/merge-patch+json", 401),
        ("multipart/form-data; boundary=x", 415),
        ("multipart/form-data", 415),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("text/plain; application/json", 415),
        ("text/json", 415),
        ("", 415),
    ],
)
@pytest.mark.parametrize("path", ["/auth/session", "/auth/token"])
async def test_the_content_type_decides(
    client: httpx.AsyncClient, path: str, kind: str, status: int
) -> None:
    headers: Any = {"Content-Type": kind} if kind else {}
    answer = await client.post(f"/api/v1{path}", content=JSON_BODY, headers=headers)
    assert answer.status_code == status, answer.text
    assert status != 415 or "application/json" in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain"])
@pytest.mark.parametrize("path", ["/videos", "/videos/1/file", "/categories/1/picture"])
async def test_routes_for_files_say_which_body_they_read(
    editor: httpx.AsyncClient, path: str, kind: str
) -> None:
    method = "POST" if path == "/videos" else "PUT"
    answer = await editor.request(
        method, f"/api/v1{path}", content=b"title=a", headers={"Content-Type": kind}
    )
    assert (answer.status_code, answer.json()["detail"]) == (
        415,
        "Send a multipart/form-data body.",
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://sibling.test", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/auth/session",
        "/api/v1/auth/session/guest",
        "/api/v1/auth/session/refresh",
        "/api/login",
        "/api/login/",
        "/api/token/refresh",
        "/api/logout",
    ],
)
async def test_no_other_site_signs_its_visitors_in(
    client: httpx.AsyncClient, session: AsyncSession, path: str, headers: dict[str, str]
) -> None:
    await opened(client, session)
    client.cookies.clear()
    answer = await client.post(
        path, content=JSON_BODY, headers=headers | {"Content-Type": "application/json"}
    )
    assert answer.status_code == 403, answer.text
    assert "set-cookie" not in answer.headers
