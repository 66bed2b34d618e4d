"""What all dialects share: switches, slashes, bodies, errors, and what other sites may not do."""

import enum
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import httpx
import msgspec
import pytest
from litestar import Litestar, get
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import app_with, http_client, openapi_document
from videoflix.catalog.service import VideoNotFound
from videoflix.compat.drf.errors import DrfError, error_shapes
from videoflix.compat.drf.formats import stamp
from videoflix.compat.drf.parsing import Email, read_fields
from videoflix.compat.registry import DIALECTS, dialect_routes
from videoflix.platform.auth import csrf
from videoflix.platform.http.urls import absolute
from videoflix.platform.problems import Forbidden, Unauthorized
from videoflix.settings import settings

CHECK = "/api/users/check-login-register"
UNKNOWN = {"shouldLogin": True, "shouldRegister": False}
ADDRESS = {"email": "nobody@example.org"}
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("slash", ["", "/"])
async def test_paths_are_served_with_and_without_a_slash(
    client: httpx.AsyncClient, slash: str
) -> None:
    answer = await client.post(CHECK + slash, json=ADDRESS)
    assert (answer.status_code, answer.json()) == (200, UNKNOWN)


@pytest.mark.parametrize(
    "body",
    [
        {"json": ADDRESS | {"privacy_policy": "on"}},
        {"data": ADDRESS | {"privacy_policy": "on"}},
        {"files": {"email": (None, "nobody@example.org"), "more": (None, "x")}},
    ],
    ids=["json", "form", "multipart"],
)
async def test_json_and_forms_are_read_alike(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    answer = await client.post(CHECK, **body)
    assert (answer.status_code, answer.json()) == (200, UNKNOWN)


async def test_bodies_that_hold_no_fields(client: httpx.AsyncClient) -> None:
    kind = {"Content-Type": "application/json"}
    broken = await client.post(CHECK, content=b"{", headers=kind)
    assert broken.status_code == 400
    assert broken.json()["detail"].startswith("JSON parse error - ")
    listed = await client.post(CHECK, json=[1])
    text = "Invalid data. Expected a dictionary, but got list."
    assert (listed.status_code, listed.json()) == (400, {"non_field_errors": [text]})
    plain = await client.post(CHECK, content=b"x", headers={"Content-Type": "text/plain"})
    text = 'Unsupported media type "text/plain" in request.'
    assert (plain.status_code, plain.json()) == (415, {"detail": text})


async def test_wrong_methods_are_named(client: httpx.AsyncClient) -> None:
    for path in (CHECK, f"{CHECK}/"):
        answer = await client.get(path)
        assert answer.status_code == 405
        assert answer.json() == {"detail": 'Method "GET" not allowed.'}
        assert answer.headers["allow"] == "OPTIONS, POST"


async def test_throttled_clients_read_how_long_to_wait(client: httpx.AsyncClient) -> None:
    for _ in range(20):
        await client.post(CHECK, json=ADDRESS)
    answer = await client.post(CHECK, json=ADDRESS)
    assert answer.status_code == 429
    seconds = answer.headers["retry-after"]
    text = f"Request was throttled. Expected available in {seconds} seconds."
    assert answer.json() == {"detail": text}


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=str,
)
@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=x"])
async def test_forms_of_other_sites_are_refused(
    client: httpx.AsyncClient, headers: dict[str, str], kind: str
) -> None:
    """Else another site could sign its visitors in with an account of its own."""
    sent = headers | {"Content-Type": kind}
    answer = await client.post(CHECK, content=b"email=nobody@example.org", headers=sent)
    assert answer.status_code == 403
    assert list(answer.json()) == ["detail"]


async def test_our_own_pages_may_send_forms(client: httpx.AsyncClient) -> None:
    ours = {"Origin": "http://test", "Sec-Fetch-Site": "same-origin"}
    assert (await client.post(CHECK, data=ADDRESS, headers=ours)).status_code == 200


async def test_front_ends_on_other_hosts(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that CORS_ORIGINS names may do all of it, preflight and credentials included."""
    theirs = "http://127.0.0.1:5500"
    listed = msgspec.structs.replace(settings, cors_origins=theirs)
    monkeypatch.setattr(csrf, "settings", listed)
    asked = {
        "Origin": theirs,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-csrftoken",
    }
    async with http_client(app_with(cors_origins=theirs)) as client:
        preflight = await client.options(f"{CHECK}/", headers=asked)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == theirs
        assert preflight.headers["access-control-allow-credentials"] == "true"
        bodies: list[dict[str, Any]] = [{"json": ADDRESS}, {"data": ADDRESS}]
        for body in bodies:
            said = {"Origin": theirs, "Sec-Fetch-Site": "same-site"}
            answer = await client.request("POST", f"{CHECK}/", headers=said, **body)
            assert answer.status_code == 200
            assert answer.headers["access-control-allow-origin"] == theirs
        others = asked | {"Origin": "http://127.0.0.1:5501"}
        refused = await client.options(f"{CHECK}/", headers=others)
        assert "access-control-allow-origin" not in refused.headers


async def test_other_routes_still_take_no_forms(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/auth/session", data=ADDRESS)
    assert answer.status_code == 415


def test_an_unknown_dialect_is_refused_at_start() -> None:
    with pytest.raises(SystemExit, match="there is no “klingon”, only academy, netiflex"):
        dialect_routes(["academy", "klingon"])


def test_every_dialect_is_on_unless_said_otherwise() -> None:
    """All but the one that takes paths of ours over."""
    assert settings.dialect_names == [name for name in DIALECTS if not DIALECTS[name].replaces]


async def test_dialects_are_switched_off(session: AsyncSession) -> None:
    async with http_client(app_with(dialects="none")) as client:
        assert (await client.post(CHECK, json=ADDRESS)).status_code == 404
        assert (await client.get("/health/live")).status_code == 200


def test_dialects_stay_out_of_the_documented_api() -> None:
    paths = openapi_document()["paths"]
    ours = ("/api/v1", "/health", "/metrics", "/movies")
    assert {path for path in paths if not path.startswith(ours)} == set()


class Colour(enum.StrEnum):
    RED = "red"


class Sample(msgspec.Struct):
    email: Email
    title: Annotated[str, msgspec.Meta(min_length=8, max_length=10)]
    count: Annotated[int, msgspec.Meta(ge=1)]
    colour: Colour = Colour.RED
    key: UUID | None = None
    day: date | None = None
    open: bool = False


GOOD = {"email": "a@example.org", "title": "long title", "count": 1}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("email", "a", "Enter a valid email address."),
        ("email", "", "This field may not be blank."),
        ("email", None, "This field may not be null."),
        ("title", "short", "Ensure this field has at least 8 characters."),
        ("title", "x" * 11, "Ensure this field has no more than 10 characters."),
        ("title", "nul\0 in it", "Null characters are not allowed."),
        ("title", ["a"], "Not a valid string."),
        ("count", 0, "Ensure this value is greater than or equal to 1."),
        ("count", "x", "A valid integer is required."),
        ("count", 1.5, "A valid integer is required."),
        ("colour", "blue", '"blue" is not a valid choice.'),
        ("key", "x", "Must be a valid UUID."),
        ("open", "x", "Must be a valid boolean."),
        ("day", "x", "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."),
    ],
)
def test_field_errors_are_the_older_sentences(name: str, value: object, text: str) -> None:
    with pytest.raises(DrfError) as refused:
        read_fields(GOOD | {name: value}, Sample)
    assert (refused.value.status, refused.value.body) == (400, {name: [text]})


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(DrfError) as refused:
        read_fields({"count": 0}, Sample)
    assert refused.value.body == {
        "email": ["This field is required."],
        "title": ["This field is required."],
        "count": ["Ensure this value is greater than or equal to 1."],
    }


def test_forms_hold_numbers_as_text_and_json_text_as_numbers() -> None:
    read = read_fields(GOOD | {"count": "7", "title": 12345678, "more": 1}, Sample)
    assert (read.count, read.title) == (7, "12345678")


def test_times_have_six_digits_and_z() -> None:
    assert stamp(datetime(2026, 11, 20, 19, 21, 46, tzinfo=UTC)) == "2026-11-20T19:21:46.000000Z"


@pytest.fixture
async def failing() -> AsyncIterator[httpx.AsyncClient]:
    """A site whose paths fail as their name says."""
    failures: dict[str, Exception] = {
        "stranger": Unauthorized(),
        "forbidden": Forbidden("This needs the role “admin”."),
        "film": VideoNotFound(),
        "large": HTTPException("Too large", status_code=413),
    }

    @get("/fail/{how:str}")
    async def fail(how: FromPath[str]) -> None:
        raise failures[how]

    @get("/here")
    async def here() -> dict[str, str | None]:
        return {"film": absolute("/film"), "none": absolute(None)}

    site = Litestar([fail, here], exception_handlers=error_shapes)
    async with http_client(site) as client:
        yield client


@pytest.mark.parametrize(
    ("how", "status", "text"),
    [
        ("stranger", 401, "Authentication credentials were not provided."),
        ("forbidden", 403, "You do not have permission to perform this action."),
        ("film", 404, "No Video matches the given query."),
        ("large", 413, "Too large"),
    ],
)
async def test_errors_are_the_older_sentences(
    failing: httpx.AsyncClient, how: str, status: int, text: str
) -> None:
    answer = await failing.get(f"/fail/{how}")
    assert (answer.status_code, answer.json()) == (status, {"detail": text})
    assert answer.headers["content-type"] == "application/json"
    challenge = answer.headers.get("www-authenticate")
    assert challenge == ('Bearer realm="api"' if status == 401 else None)


async def test_addresses_are_those_of_the_site(failing: httpx.AsyncClient) -> None:
    """The Host header is the client's to choose, and answers are cached for others."""
    answer = await failing.get("/here", headers={"Host": "evil.example"})
    assert answer.json() == {"film": "http://test/film", "none": None}


async def test_crafted_input_is_refused_and_not_kept(client: httpx.AsyncClient) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    many = "&".join(f"f{number}=" for number in range(500))
    assert (await client.post("/api/login/", content=many, headers=form)).status_code == 400
    large = await client.post("/api/login/", content="a=" + "x" * 70_000, headers=form)
    assert large.status_code == 413
    cookies = await client.get("/health/live", headers={"Cookie": "a=" + "x" * 9_000})
    assert cookies.status_code == 431
    strange = await client.post(
        "/api/login/", content="email=a", headers=form | {"Origin": "http://["}
    )
    assert strange.status_code < 500
