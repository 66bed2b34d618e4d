"""Secrets vanish from what is logged; everything else stays as it is."""

import secrets
from itertools import count
from typing import Any

import pytest

from videoflix.platform.auth.tokens import Purpose, sign, sign_compact
from videoflix.platform.observability.masking import masked
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
        ("host=db user=videoflix password=s3cr3t", "s3cr3t"),
        ('{"password": "correct horse"}', "correct"),
        ("https://bucket/x?X-Amz-Signature=abcdef&a=1", "abcdef"),
        ("Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ],
    ids=count(),  # the secrets are new in each process: processes that share a run compare names
)
def test_secrets_are_known_by_their_looks(text: str, secret: str) -> None:
    assert secret not in masked(text)
    assert "***" in masked(text)


@pytest.mark.parametrize("name", ["password", "refresh", "X-CSRFToken", "COOKIE", "secret_key"])
def test_secrets_are_known_by_their_names(name: str) -> None:
    assert masked({"deep": [{name: "hunter2"}]}) == {"deep": [{name: "***"}]}


@pytest.mark.parametrize(
    "value",
    [
        "forgot 3 mailed links",
        "assets/0f8fad5bd9cb469fa16570867728950e/source",
        "chunk 12 is decoded from the film's start: packet at 12.5",
        {"status": 200, "ms": 1.5, "path": "/api/v1/auth/token", "token": ""},
        ["a", 1, None, True],
    ],
)
def test_everything_else_stays(value: Any) -> None:
    assert masked(value) == value
