"""Which changes a request may make with nothing but a cookie (CSRF)."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from litestar.connection import ASGIConnection

from videoflix.platform.auth import csrf
from videoflix.platform.auth.csrf import (
    OLDER_CLIENT,
    CrossSiteRequest,
    ensure_no_cross_site_link,
    ensure_own_page,
    ensure_same_site,
)
from videoflix.platform.auth.tokens import csrf_token
from videoflix.settings import settings

Connection = ASGIConnection[Any, Any, Any, Any]

SIGN_IN = 7
OWN, FRIEND, OTHER = "https://films.example", "https://app.example", "https://evil.example"


@pytest.fixture(autouse=True)
def site(monkeypatch: pytest.MonkeyPatch) -> None:
    """One public URL, one origin that CORS_ORIGINS allows."""
    changed = msgspec.structs.replace(settings, site_url=OWN, cors_origins=FRIEND)
    monkeypatch.setattr(csrf, "settings", changed)


def request(headers: dict[str, str], opt: dict[str, bool] | None = None) -> Connection:
    """A request to an internal host name, as a reverse proxy forwards it."""
    sent = {"host": "backend:8000", **headers}
    scope: Any = {
        "type": "http",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "route_handler": SimpleNamespace(opt=opt or {}),
    }
    return ASGIConnection(scope)


def is_allowed(check: Any, *arguments: Any) -> bool:
    try:
        check(*arguments)
    except CrossSiteRequest:
        return False
    return True


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),  # a form of a browser that sends neither header, or a script
        ({"origin": OWN}, True),
        ({"origin": "http://backend:8000"}, True),
        ({"origin": FRIEND}, True),
        ({"origin": FRIEND, "sec-fetch-site": "cross-site"}, True),
        ({"origin": OTHER}, False),
        ({"origin": f"{OWN}.evil.example"}, False),
        ({"origin": "https://films.example:8443"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "https://[bad"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": OWN}, False),
    ],
)
def test_origin_of_a_change(headers: dict[str, str], expected: bool) -> None:
    assert is_allowed(ensure_same_site, request(headers), SIGN_IN) is expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (csrf_token(SIGN_IN), True),
        (csrf_token(SIGN_IN + 1), False),
        (csrf_token(SIGN_IN)[:-1], False),
        (csrf_token(SIGN_IN).upper(), False),
        ("", False),
        ("é", False),
    ],
)
def test_token_of_the_sign_in_vouches_for_any_origin(token: str, expected: bool) -> None:
    connection = request({"x-csrftoken": token, "origin": OTHER})
    assert is_allowed(ensure_same_site, connection, SIGN_IN) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [({}, True), ({"origin": OWN}, True), ({"origin": OTHER}, False), ({"origin": ""}, False)],
)
def test_older_clients_need_no_token(headers: dict[str, str], expected: bool) -> None:
    """A program sends no Origin; a browser always does."""
    connection = request(headers, {OLDER_CLIENT: True})
    assert is_allowed(ensure_same_site, connection, SIGN_IN) is expected
    assert is_allowed(ensure_own_page, connection) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"authorization": "Bearer x"}, True),
        ({"origin": FRIEND}, True),
        ({"referer": f"{OWN}/films/1"}, True),
        ({"referer": f"{OTHER}/films/1"}, False),
        ({"referer": OTHER, "sec-fetch-site": "same-origin"}, False),
        ({"referer": OWN, "sec-fetch-site": "cross-site"}, False),
        ({"referer": OWN, "sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}, True),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}, False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, False),
    ],
)
def test_links_of_other_sites_change_nothing(headers: dict[str, str], expected: bool) -> None:
    assert is_allowed(ensure_no_cross_site_link, request(headers)) is expected
