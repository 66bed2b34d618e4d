"""Secrets vanish from what is logged; everything else stays as it is."""

import secrets
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoflix.platform.auth.tokens import Purpose, sign, sign_compact
from videoflix.platform.observability.masking import masked, masked_text, masked_url
from videoflix.settings import settings

JWT = sign(Purpose.PLAY, 1, settings.play_token_lifetime)
SEALED = sign_compact(Purpose.PLAY, settings.play_token_lifetime, 1, 2, 3, 4, 5)
MAILED = secrets.token_urlsafe(32)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"GET /videos/1/master.m3u8?token={JWT}", JWT),
        (f"GET /videos/1/play/{SEALED}/assets/2/360p/00000.m4s", SEALED),
        (f"refused {JWT}", JWT),
        (f"Authorization: Bearer vf_{MAILED}", MAILED),
        (f"https://films.example/#/reset/{MAILED} was opened", MAILED),
        ("cannot reach smtp://robot:hunter2@mail.example:587", "hunter2"),
        ("connection to postgresql://videoflix:s3cr3t@db/videoflix failed", "s3cr3t"),
        ("cannot reach smtp://robot:p@ss:w/r,d@mail.example:587", "ss:w/r,d"),
        ("cannot reach smtp://robot:'p\"w<@mail.example:587", 'p"w<'),
        ("postgresql://videoflix:" + "a-" * 1000 + "b@db/videoflix", "a-a-b"),
        ("host=db user=videoflix password=s3cr3t", "s3cr3t"),
        ('{"password": "correct horse"}', "correct"),
        ("https://bucket/x?X-Amz-Signature=abcdef&a=1", "abcdef"),
        ("Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ],
    ids=count(),  # the secrets are new in each process: processes that share a run compare names
)
def test_secrets_are_found_by_patterns(text: str, secret: str) -> None:
    assert secret not in masked(text)
    assert "***" in masked(text)


@pytest.mark.parametrize("name", ["password", "refresh", "X-CSRFToken", "COOKIE", "secret_key"])
def test_secrets_are_found_by_names(name: str) -> None:
    assert masked({"deep": [{name: "hunter2"}]}) == {"deep": [{name: "***"}]}


@pytest.mark.parametrize(
    "value",
    [
        "forgot 3 mailed links",
        "GET http://127.0.0.1:8000/users?email=ada@example.org",
        "assets/0f8fad5bd9cb469fa16570867728950e/source",
        "chunk 12 is decoded from the film's start: packet at 12.5",
        {"status": 200, "ms": 1.5, "path": "/api/v1/auth/token", "token": ""},
        ["a", 1, None, True],
    ],
)
def test_everything_else_stays(value: Any) -> None:
    assert masked(value) == value


@pytest.mark.parametrize(
    ("text", "is_masked"),
    [
        ("a" * 42, False),
        ("a" * 43, True),
        ("a" * 44, False),
        ("vf_" + "a" * 9, False),
        ("vf_" + "a" * 10, True),
        ("/play/" + "a" * 29, False),
        ("/play/" + "a" * 30, True),
        ("Bearer " + "a" * 7, False),
        ("Bearer " + "a" * 8, True),
        ("eyJ" + "a" * 4 + ".b.c", False),
        ("eyJ" + "a" * 5 + ".b.c", True),
        ("smtp://mail.example:587/", False),
        ("smtp://:x@mail.example", True),
        ("api_key=", False),
        ("api-key: x, apikey=y", True),
    ],
)
def test_shortest_secrets(text: str, is_masked: bool) -> None:
    assert (masked(text) != text) is is_masked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("smtp://user:p@ss:w/rd@host", "smtp://user:***@host"),
        ("postgresql://u:pa,ss@host/db", "postgresql://u:***@host/db"),
        ("postgresql://:pw@/db?host=/run", "postgresql://:***@/db?host=/run"),
        (
            "s3://films/media?secret_key=a,b&region=eu",
            "s3://films/media?secret_key=***&region=eu",
        ),
        ("smtp://u:1234/p'w@host", "smtp://u:***@host"),
        ("https://films.example/a:b@c", "https://films.example/a:b@c"),
    ],
)
def test_urls(url: str, shown: str) -> None:
    assert masked_url(url) == shown


@pytest.mark.parametrize("name", ["pin", "PIN", "access", "dsn", "database_url", "smtp_url"])
def test_whole_names(name: str) -> None:
    assert masked({name: "1234", f"{name}ned": "1234"}) == {name: "***", f"{name}ned": "1234"}


def test_empty_secrets_are_shown_as_empty() -> None:
    assert masked({"password": "", "token": None, "secret": 0}) == {
        "password": "",
        "token": None,
        "secret": 0,
    }


def test_other_objects_are_masked_as_text() -> None:
    assert masked(ValueError("password=hunter2")) == "password=***"
    assert masked(("token=abc", {"a"})) == ["token=***", ["a"]]


@given(text=st.text(), secret=st.text("abcdefXYZ0123456789-_", min_size=43, max_size=43))
def test_text_around_a_secret_stays(text: str, secret: str) -> None:
    around = masked_text(text)
    assert masked_text(f"{text} {secret} {text}") == f"{around} *** {around}"
