"""The dialect `academy`, row by row: accounts, people, categories, films."""

import re
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_category, add_films
from conftest import PASSWORD, http_client
from registration.test_api import do_jobs
from videoflix.accounts.service import Accounts
from videoflix.registration import service as registration_service
from videoflix.settings import settings

ADA = "ada@example.org"
NEW = {"email": ADA, "password": PASSWORD, "confirmed_password": PASSWORD, "privacy_policy": "on"}
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UNSIGNED = {"detail": "Authentication credentials were not provided."}
NOT_ALLOWED = {"detail": "You do not have permission to perform this action."}
PAGE = "http://films.example/pages/auth"


@pytest.fixture
async def ada(client: httpx.AsyncClient, session: AsyncSession) -> httpx.AsyncClient:
    """A person who is signed in as the older client does it: by cookies."""
    await Accounts(session).create_user(email=ADA, password=PASSWORD)
    await session.commit()
    answer = await client.post("/api/login/", json={"email": ADA, "password": PASSWORD})
    assert answer.status_code == 200
    return client


@pytest.fixture
def their_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails lead to the pages of the older front end."""
    changed = msgspec.structs.replace(
        settings,
        activation_url=f"{PAGE}/activate.html?uid={{uid}}&token={{token}}",
        password_reset_url=f"{PAGE}/confirm_password.html?uid={{uid}}&token={{token}}",
    )
    monkeypatch.setattr(registration_service, "settings", changed)


async def mailed(session: AsyncSession) -> tuple[str, str]:
    """The uid and token of the newest mailed link."""
    await do_jobs(session)
    body = await session.scalar(text("select text from mail order by id desc limit 1"))
    found = re.search(r"/pages/auth/\w+\.html\?uid=(\d+)&token=([\w-]+)", str(body))
    assert found, body
    return found[1], found[2]


async def new_id(session: AsyncSession, email: str = ADA) -> int:
    user = await Accounts(session).by_email(email)
    assert user is not None
    return user.id


# ── registering and mailed links ──────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("their_pages")
async def test_register_activate_and_log_in(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    made = await client.post("/api/register/", json=NEW)
    assert made.status_code == 201
    body = made.json()
    assert body["user"] == {"id": await new_id(session), "email": ADA}
    assert isinstance(body["token"], str)
    assert len(body["token"]) > 20
    early = await client.post("/api/login/", json={"email": ADA, "password": PASSWORD})
    assert early.status_code == 400, "an address counts once it is confirmed"
    uid, token = await mailed(session)
    opened = await client.get(f"/api/activate/{uid}/{token}/")
    assert (opened.status_code, opened.json()) == (
        200,
        {"message": "Account successfully activated."},
    )
    again = await client.get(f"/api/activate/{uid}/{token}/")
    assert (again.status_code, again.json()) == (200, {"message": "Account already activated."})
    entered = await client.post("/api/login/", json={"email": ADA, "password": PASSWORD})
    assert entered.status_code == 200


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({"email": "no address"}, {"email": ["Enter a valid email address."]}),
        ({"email": None}, {"email": ["This field is required."]}),
        ({"password": "short"}, {"password": ["Password must be at least 8 characters long."]}),
        ({"confirmed_password": "else"}, {"password": ["Passwords must match"]}),
        ({"confirmed_password": None}, {"confirmed_password": ["This field is required."]}),
    ],
    ids=str,
)
async def test_registrations_that_are_refused(
    client: httpx.AsyncClient, change: dict[str, str | None], body: dict[str, list[str]]
) -> None:
    sent = {name: value for name, value in (NEW | change).items() if value is not None}
    answer = await client.post("/api/register/", data=sent)
    assert (answer.status_code, answer.json()) == (400, body)


@pytest.mark.usefixtures("older_manners")
async def test_register_twice(client: httpx.AsyncClient, session: AsyncSession) -> None:
    await Accounts(session).create_user(email=ADA, password=PASSWORD)
    await session.commit()
    again = await client.post("/api/register/", json=NEW | {"email": ADA.upper()})
    assert (again.status_code, again.json()) == (400, {"email": ["Email already exists"]})


async def test_same_local_part_is_no_fault(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/register/", json=NEW)).status_code == 201
    other = await client.post("/api/register/", json=NEW | {"email": "ada@elsewhere.org"})
    assert other.status_code == 201


async def test_token_of_the_register_reply_activates_nothing(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    body = (await client.post("/api/register/", json=NEW)).json()
    await do_jobs(session)
    answer = await client.get(f"/api/activate/{body['user']['id']}/{body['token']}/")
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid or expired token"})


@pytest.mark.usefixtures("their_pages")
async def test_body_of_an_activation_wins_over_its_path(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await client.post("/api/register/", json=NEW)
    uid, token = await mailed(session)
    answer = await client.post("/api/activate/x/x/", json={"uid": uid, "token": token})
    assert (answer.status_code, answer.json()["message"]) == (
        200,
        "Account successfully activated.",
    )


@pytest.mark.usefixtures("their_pages")
async def test_activations_that_are_refused(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await client.post("/api/register/", json=NEW)
    uid, token = await mailed(session)
    bad = await client.get(f"/api/activate/bad-uid/{token}/")
    assert (bad.status_code, bad.json()) == (400, {"error": "Invalid UID"})
    for path in (f"{uid}/wrong-token", f"{int(uid) + 1}/{token}"):
        wrong = await client.get(f"/api/activate/{path}/")
        assert (wrong.status_code, wrong.json()) == (400, {"error": "Invalid or expired token"})
    assert (await client.get(f"/api/activate/{uid}/{token}/")).status_code == 200, "still good"


@pytest.mark.usefixtures("their_pages")
async def test_activation_token_resets_no_password(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await client.post("/api/register/", json=NEW)
    uid, token = await mailed(session)
    chosen = {"new_password": "another password", "confirm_password": "another password"}
    answer = await client.post(f"/api/password_confirm/{uid}/{token}/", json=chosen)
    text = "Invalid or expired token"
    assert (answer.status_code, answer.json()) == (400, {"non_field_errors": [text]})


@pytest.mark.usefixtures("their_pages")
async def test_reset_by_mail(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    asked = await ada.post("/api/password_reset/", json={"email": ADA})
    text = {"detail": "An email has been sent to reset your password."}
    assert (asked.status_code, asked.json()) == (200, text)
    uid, token = await mailed(session)
    path = f"/api/password_confirm/{uid}/{token}/"

    def chosen(new: str, confirmed: str) -> dict[str, str]:
        return {"new_password": new, "confirm_password": confirmed}

    refusals = [
        (path, chosen("good password", "else"), {"non_field_errors": ["Passwords do not match"]}),
        (
            f"/api/password_confirm/x/{token}/",
            chosen("good password", "good password"),
            {"non_field_errors": ["Invalid UID"]},
        ),
        (
            f"/api/password_confirm/{uid}/wrong/",
            chosen("good password", "good password"),
            {"non_field_errors": ["Invalid or expired token"]},
        ),
        (
            path,
            chosen("1", "1"),
            {"new_password": ["Ensure this field has at least 8 characters."]},
        ),
    ]
    for where, body, expected in refusals:
        refused = await ada.post(where, json=body)
        assert (refused.status_code, refused.json()) == (400, expected)
    done = await ada.post(path, json=chosen("good new password", "good new password"))
    text = {"detail": "Your Password has been successfully reset."}
    assert (done.status_code, done.json()) == (200, text)
    entered = await ada.post("/api/login/", json={"email": ADA, "password": "good new password"})
    assert entered.status_code == 200


async def test_asking_for_a_reset_tells_nothing(client: httpx.AsyncClient) -> None:
    unknown = await client.post("/api/password_reset/", json={"email": "nobody@example.org"})
    assert unknown.status_code == 200
    assert unknown.json() == {"detail": "An email has been sent to reset your password."}
    bad = await client.post("/api/password_reset/", json={"email": "nobody"})
    assert (bad.status_code, bad.json()) == (400, {"email": ["Enter a valid email address."]})


# ── signing in and out ────────────────────────────────────────────────────────────────────────


async def test_login_sets_cookies(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    answer = await ada.post("/api/login/", json={"email": ADA, "password": PASSWORD})
    user = {"id": await new_id(session), "username": ADA}
    assert answer.json() == {"detail": "Login successful", "user": user}
    cookies = {
        line.partition("=")[0]: line.lower() for line in answer.headers.get_list("set-cookie")
    }
    assert cookies.keys() == {"access_token", "refresh_token", "csrftoken"}
    for name in ("access_token", "refresh_token"):
        assert "httponly" in cookies[name]
        assert "samesite=lax" in cookies[name]
        assert "path=/" in cookies[name]
        assert "max-age" not in cookies[name], "they go with the browser"
    assert "httponly" not in cookies["csrftoken"], "scripts read it"
    assert f"max-age={365 * 24 * 3600}" in cookies["csrftoken"]


@pytest.mark.usefixtures("older_manners")
@pytest.mark.parametrize(
    ("email", "text"),
    [
        (ADA, "Invalid emailaddress or password"),
        ("nobody@example.org", "Email address is not registered"),
    ],
)
async def test_logins_that_are_refused(ada: httpx.AsyncClient, email: str, text: str) -> None:
    answer = await ada.post("/api/login/", json={"email": email, "password": "wrong password"})
    assert (answer.status_code, answer.json()) == (400, {"non_field_errors": [text]})
    assert answer.headers["set-cookie"].startswith("csrftoken=")


async def test_login_names_missing_fields(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/login/", json={})
    missing = ["This field is required."]
    assert (answer.status_code, answer.json()) == (400, {"email": missing, "password": missing})


async def test_guessing_is_slowed_down(ada: httpx.AsyncClient) -> None:
    wrong = {"email": ADA, "password": "wrong password"}
    statuses = [(await ada.post("/api/login/", json=wrong)).status_code for _ in range(8)]
    assert statuses[0] == 400
    assert statuses[-1] == 429


async def test_refresh_renews_the_cookies(ada: httpx.AsyncClient) -> None:
    before = ada.cookies["access_token"]
    answer = await ada.post("/api/token/refresh/")
    text = "access Token refreshed successfully"
    assert (answer.status_code, answer.json()) == (200, {"message": text})
    assert ada.cookies["access_token"] != before
    assert (await ada.get("/api/user/me/")).status_code == 200


async def test_refreshes_that_are_refused(client: httpx.AsyncClient) -> None:
    missing = await client.post("/api/token/refresh/")
    text = "Refresh token not found in cookies"
    assert (missing.status_code, missing.json()) == (400, {"error": text})
    client.cookies["refresh_token"] = "nonsense"
    wrong = await client.post("/api/token/refresh/")
    assert (wrong.status_code, wrong.json()) == (401, {"detail": "Refresh token is invalid"})


async def test_logout_ends_the_sign_in(ada: httpx.AsyncClient) -> None:
    kept = dict(ada.cookies)
    answer = await ada.post("/api/logout/")
    text = "Log-Out successfully! All Tokens will be deleted. Refresh token is now invalid."
    assert (answer.status_code, answer.json()) == (200, {"detail": text})
    deleted = [line.lower() for line in answer.headers.get_list("set-cookie")]
    for name in ("access_token", "refresh_token"):
        assert any(line.startswith(f"{name}=") and "max-age=0" in line for line in deleted)
    ada.cookies.update(kept)
    assert (await ada.get("/api/user/me/")).status_code == 401, "at once, not when it expires"
    again = await ada.post("/api/logout/")
    text = "Invalid or expired refresh token."
    assert (again.status_code, again.json()) == (400, {"error": text})
    assert (await ada.post("/api/token/refresh/")).status_code == 401


async def test_logouts_that_are_refused(client: httpx.AsyncClient) -> None:
    missing = await client.post("/api/logout/")
    text = "Refresh token is missing."
    assert (missing.status_code, missing.json()) == (400, {"error": text})
    client.cookies["refresh_token"] = "nonsense"
    wrong = await client.post("/api/logout/")
    text = "Invalid or expired refresh token."
    assert (wrong.status_code, wrong.json()) == (400, {"error": text})


@pytest.mark.parametrize("path", ["/api/logout/", "/api/token/refresh/", "/api/user/me/"])
async def test_other_sites_change_nothing_with_the_cookie(
    ada: httpx.AsyncClient, path: str
) -> None:
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    method = "PATCH" if "user" in path else "POST"
    assert (await ada.request(method, path, headers=foreign)).status_code == 403
    token = {"X-CSRFToken": ada.cookies["csrftoken"]}
    assert (await ada.request(method, path, headers=foreign | token)).status_code == 403
    own = {"Origin": "http://test", "Sec-Fetch-Site": "same-origin"}
    assert (await ada.request(method, path, headers=own | token)).status_code == 200


async def test_old_cookie_spoils_no_good_header(
    viewer: httpx.AsyncClient,
) -> None:
    viewer.cookies["access_token"] = "nonsense"
    assert (await viewer.get("/api/user/me/")).status_code == 200


@pytest.mark.usefixtures("older_manners")
async def test_who_should_log_in_and_who_register(ada: httpx.AsyncClient) -> None:
    known = await ada.post("/api/users/check-login-register/", json={"email": ADA})
    assert known.json() == {"shouldLogin": True, "shouldRegister": False}
    missing = await ada.post("/api/users/check-login-register/", json={})
    assert (missing.status_code, missing.json()) == (400, {"detail": "Email is required"})
    assert (await ada.get("/api/users/check-login-register/")).status_code == 405


# ── people ────────────────────────────────────────────────────────────────────────────────────


async def test_people_see_and_change_themselves(
    ada: httpx.AsyncClient, session: AsyncSession
) -> None:
    me = {
        "id": await new_id(session),
        "first_name": "",
        "last_name": "",
        "address": None,
        "phone": None,
    }
    assert (await ada.get("/api/user/")).json() == [me]
    assert (await ada.get("/api/user/me/")).json() == me
    put = await ada.put("/api/user/me/", json={"first_name": "Ada", "phone": "123"})
    assert (put.status_code, put.json()) == (200, me | {"first_name": "Ada", "phone": "123"})
    patched = await ada.patch("/api/user/17/", json={"address": "Here 1", "is_staff": True})
    assert patched.json() == me | {"first_name": "Ada", "phone": "123", "address": "Here 1"}
    assert (await ada.get("/api/user/anything/")).json() == patched.json()
    wrong = await ada.patch("/api/user/me/", json={"first_name": "x" * 101})
    text = "Ensure this field has no more than 100 characters."
    assert (wrong.status_code, wrong.json()) == (400, {"first_name": [text]})


async def test_accounts_are_not_deleted_or_made_here(ada: httpx.AsyncClient) -> None:
    gone = await ada.delete("/api/user/me/")
    text = "Deleting account is not allowed."
    assert (gone.status_code, gone.json()) == (405, {"detail": text})
    for method in ("POST", "PUT", "DELETE"):
        refused = await ada.request(method, "/api/user/")
        assert refused.status_code == 405
        assert refused.json() == {"detail": f'Method "{method}" not allowed.'}


@pytest.mark.parametrize(
    "path",
    [
        "user/",
        "user/me/",
        "video/",
        "video/1/",
        "video/new/",
        "video/new_videos/",
        "video/featured/",
        "video/1/480p/index.m3u8",
        "video/1/480p/1-480p-00000.m4s/",
        "watchlist/",
        "watchlist/1/",
        "watchlist-entries/",
        "watchlist-entries/1/",
        "history/",
        "history/get-progress/1/",
    ],
)
async def test_strangers_are_asked_to_sign_in(client: httpx.AsyncClient, path: str) -> None:
    client.cookies["access_token"] = "expired"
    answer = await client.get(f"/api/{path}")
    assert (answer.status_code, answer.json()) == (401, UNSIGNED)
    assert answer.headers["www-authenticate"] == 'Bearer realm="api"'


# ── categories ────────────────────────────────────────────────────────────────────────────────


async def test_categories_are_public(client: httpx.AsyncClient, session: AsyncSession) -> None:
    drama = {"id": await add_category(session, "Drama"), "name": "Drama", "slug": "drama"}
    assert (await client.get("/api/categories/")).json() == [drama]
    assert (await client.get(f"/api/categories/{drama['id']}/")).json() == drama
    unknown = await client.get("/api/categories/77/")
    text = "No Category matches the given query."
    assert (unknown.status_code, unknown.json()) == (404, {"detail": text})


async def test_staff_adds_categories(
    editor: httpx.AsyncClient, viewer: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    made = await editor.post("/api/categories/", json={"name": "Drama"})
    assert made.status_code == 201
    assert made.json()["message"] == "Category created successfully"
    for other in (viewer, client):
        refused = await other.post("/api/categories/", json={"name": "Other"})
        assert (refused.status_code, refused.json()) == (403, NOT_ALLOWED)
    for body, sentence in (
        ({"name": "Drama"}, "category with this name already exists."),
        ({"name": ""}, "This field may not be blank."),
        ({}, "This field is required."),
    ):
        wrong = await editor.post("/api/categories/", data=body)
        assert (wrong.status_code, wrong.json()) == (400, {"name": [sentence]})


async def test_shelves_with_films(
    ada: httpx.AsyncClient, app: Litestar, session: AsyncSession
) -> None:
    drama = await add_category(session, "Drama")
    (film,) = await add_films(session, {"title": "Seen", "categories": [drama]})
    (shelf,) = (await ada.get("/api/categories/with_videos/")).json()
    assert shelf["category"] == "Drama"
    assert [one["id"] for one in shelf["videos"]] == [film]
    async with http_client(app) as stranger:
        answer = await stranger.get("/api/categories/with_videos/")
    assert (answer.status_code, answer.json()) == (200, [{"category": "Drama", "videos": []}])


# ── films ─────────────────────────────────────────────────────────────────────────────────────


async def test_list_of_films_is_short(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    drama = await add_category(session, "Drama")
    films = await add_films(
        session,
        {"title": "First", "categories": [drama]},
        {"title": "Second", "genre": "action", "poster": "assets/1/p/poster.jpg"},
    )
    listed = (await ada.get("/api/video/")).json()
    assert [film["id"] for film in listed] == films
    assert list(listed[0]) == [
        "id",
        "created_at",
        "title",
        "description",
        "thumbnail_url",
        "category",
    ]
    assert (listed[0]["category"], listed[1]["category"]) == ("Drama", "Action")
    assert listed[0]["thumbnail_url"] is None
    poster = f"http://test/api/v1/videos/{films[1]}/poster.jpg?v=p"
    assert listed[1]["thumbnail_url"] == poster
    assert STAMP.fullmatch(listed[0]["created_at"])


async def test_film_with_everything(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    (film,) = await add_films(session, {"title": "Film", "duration": 150.0, "featured": True})
    shown = (await ada.get(f"/api/video/{film}/")).json()
    assert STAMP.fullmatch(shown.pop("created_at"))
    assert shown == {
        "id": film,
        "title": "Film",
        "description": "",
        "duration": 2,
        "video_file": f"http://test/api/video/{film}/1080p/index.m3u8",
        "thumbnail": None,
        "thumbnail_url": None,
        "category": "Other",
        "is_featured": True,
        "user": None,
        "video_base_url": f"/api/video/{film}",
    }


@pytest.mark.parametrize("number", ["77", "0", "x", "9" * 30, "-1", "%C2%B2"])
async def test_films_that_are_not_there(ada: httpx.AsyncClient, number: str) -> None:
    answer = await ada.get(f"/api/video/{number}/")
    text = "No Video matches the given query."
    assert (answer.status_code, answer.json()) == (404, {"detail": text})


async def test_hidden_films_stay_hidden(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    (film,) = await add_films(session, {"title": "Secret", "audience": "private"})
    assert (await ada.get(f"/api/video/{film}/")).status_code == 404
    assert (await ada.get("/api/video/")).json() == []
    assert (await ada.get("/api/video/new_videos/")).json() == []


async def test_newest_and_featured(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    blank = (await ada.get("/api/video/new/")).json()
    assert blank["title"] == ""
    assert "id" not in blank
    films = await add_films(
        session, *({"title": f"Film {n}", "featured": n == 3} for n in range(12))
    )
    assert (await ada.get("/api/video/new/")).json()["id"] == films[-1]
    newest = (await ada.get("/api/video/new_videos/")).json()
    assert [film["id"] for film in newest] == films[:1:-1]
    (featured,) = (await ada.get("/api/video/featured/")).json()
    assert (featured["id"], featured["is_featured"]) == (films[3], True)


async def test_long_lists_are_whole(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    films = await add_films(session, *({"title": f"Film {n}"} for n in range(105)))
    assert [film["id"] for film in (await ada.get("/api/video/")).json()] == films


# ── films, by staff ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def drama(session: AsyncSession) -> int:
    return await add_category(session, "Drama")


def fields(category: int) -> dict[str, str]:
    return {
        "title": "New film",
        "description": "About it",
        "duration": "12",
        "category_id": str(category),
        "user": "1",
        "is_featured": "true",
    }


async def test_staff_uploads_a_film(
    editor: httpx.AsyncClient, session: AsyncSession, drama: int
) -> None:
    file = {"video_file": ("clip.mp4", b"bytes of a film")}
    made = await editor.post("/api/video/", data=fields(drama), files=file)
    assert made.status_code == 201, made.text
    assert made.json() == {"message": "Video created successfully"}
    (film,) = (await editor.get("/api/v1/videos")).json()["items"]
    assert (film["title"], film["featured"]) == ("New film", True)
    assert [one["name"] for one in film["categories"]] == ["Drama"]
    assert film["uploaded_by"] == await new_id(session, "editor@example.org"), "whatever is sent"
    jobs = await session.scalars(text("select task_name from procrastinate_jobs"))
    assert "media.inspect" in set(jobs)
    # What the editor sent, in minutes, until the file tells.
    shown = (await editor.get(f"/api/video/{film['id']}/")).json()
    assert (shown["duration"], film["duration"]) == (12, 720)


async def test_uploads_that_are_refused(
    editor: httpx.AsyncClient, viewer: httpx.AsyncClient, drama: int
) -> None:
    file = {"video_file": ("clip.mp4", b"bytes of a film")}
    json = await editor.post("/api/video/", json=fields(drama))
    text = 'Unsupported media type "application/json" in request.'
    assert (json.status_code, json.json()) == (415, {"detail": text})
    other = await viewer.post("/api/video/", data=fields(drama), files=file)
    assert (other.status_code, other.json()) == (403, NOT_ALLOWED)
    empty = await editor.post("/api/video/", files={"nothing": (None, "x")})
    assert empty.status_code == 400
    missing = ["This field is required."]
    names = ("title", "description", "duration", "category_id", "user")
    assert empty.json() == dict.fromkeys(names, missing)
    shelf = await editor.post("/api/video/", data=fields(77), files=file)
    text = 'Invalid pk "77" - object does not exist.'
    assert (shelf.status_code, shelf.json()) == (400, {"category_id": [text]})


async def test_staff_changes_and_deletes_films(
    editor: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession, drama: int
) -> None:
    (film,) = await add_films(session, {"title": "Film"})
    path = f"/api/video/{film}/"
    change: dict[str, Any] = {"title": "Renamed", "category_id": drama}
    for method in ("PUT", "PATCH", "DELETE"):
        assert (await viewer.request(method, path)).status_code == 403
    put = await editor.put(path, json=change)
    assert put.status_code == 200
    assert (put.json()["title"], put.json()["category"]) == ("Renamed", "Drama")
    patched = await editor.patch(path, data={"is_featured": "true"})
    assert (patched.json()["title"], patched.json()["is_featured"]) == ("Renamed", True)
    wrong = await editor.patch(path, json={"category_id": 77})
    text = 'Invalid pk "77" - object does not exist.'
    assert (wrong.status_code, wrong.json()) == (400, {"category_id": [text]})
    gone = await editor.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await viewer.get(path)).status_code == 404
    assert (await editor.delete(path)).status_code == 404


async def test_what_staff_changes_is_in_the_audit(
    editor: httpx.AsyncClient, admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    (film,) = await add_films(session, {"title": "Film"})
    await editor.post("/api/categories/", json={"name": "Drama"})
    await editor.patch(f"/api/video/{film}/", json={"title": "Renamed"})
    await editor.delete(f"/api/video/{film}/")
    found = (await admin.get("/api/v1/audit?kind=staff-change")).json()["items"]
    assert [event["detail"] for event in found] == [
        f"Delete a video: DELETE /api/video/{film}",
        f"Change a film: PATCH /api/video/{film}",
        "Add a category: POST /api/categories",
    ]


@pytest.mark.parametrize(
    "page",
    [
        "https://films.example/activate-account/{uid}/{token}/",
        "https://films.example/email-verify?code={token}",
        "https://films.example/pages/auth/activate.html?uid={uid}&token={token}",
        "https://films.example/auth/activate?uid={uid}&token={token}",
        "https://films.example/activate/{uid}/{token}",
    ],
)
async def test_mailed_links_open_the_front_ends_own_page(
    client: httpx.AsyncClient, session: AsyncSession, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    theirs = msgspec.structs.replace(settings, activation_url=page)
    monkeypatch.setattr(registration_service, "settings", theirs)
    await client.post("/api/register/", json=NEW)
    await do_jobs(session)
    body = str(await session.scalar(text("select text from mail order by id desc limit 1")))
    before, _, after = page.partition("{token}")
    before = before.replace("{uid}", str(await new_id(session)))
    found = re.search(rf"{re.escape(before)}([\w-]+){re.escape(after)}\s", body)
    assert found, body
    uid = await new_id(session)
    assert (await client.get(f"/api/activate/{uid}/{found[1]}/")).status_code == 200
