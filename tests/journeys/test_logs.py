"""What real processes log while people do secret things."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from journeys.conftest import Site, follow, upload
from media.clips import make_clip

pytestmark = pytest.mark.journey

EMAIL = "whisper@example.org"
FIRST, SECOND, WRONG = "first secret words", "second secret words", "guessed secret words"
AUTH = "/api/v1/auth"


class Secrets(list[str]):
    """Everything that must not be read in a log."""

    def note(self, answer: httpx.Response) -> Any:
        """Remember the secrets of an answer: tokens in its body, and its cookies."""
        assert answer.is_success, answer.text
        self.extend(answer.cookies.values())
        found = answer.json() if answer.content else {}
        self.extend(found[name] for name in ("access", "refresh", "token") if name in found)
        return found


def register(client: httpx.Client, site: Site, secrets: Secrets) -> None:
    asked = client.post(f"{AUTH}/register", json={"email": EMAIL, "password": FIRST})
    assert asked.is_success, asked.text
    token = token_in(site.inbox.newest("Confirm your e-mail address", to=EMAIL))
    secrets += [FIRST, token]
    assert client.post(f"{AUTH}/activate", json={"token": token}).is_success


def reset(client: httpx.Client, site: Site, secrets: Secrets) -> None:
    asked = client.post(f"{AUTH}/password/forgot", json={"email": EMAIL})
    assert asked.is_success, asked.text
    token = token_in(site.inbox.newest("Reset your password", to=EMAIL))
    secrets += [SECOND, token]
    body = {"token": token, "password": SECOND}
    assert client.post(f"{AUTH}/password/reset", json=body).is_success


def token_in(template: str) -> str:
    found = re.search(r"/([\w-]{43})\b", template)
    assert found, template
    return found[1]


def sign_in(client: httpx.Client, secrets: Secrets) -> dict[str, str]:
    """By token, by cookie, with the wrong password, with a refresh token, with an API token."""
    secrets.append(WRONG)
    client.post(f"{AUTH}/token", json={"email": EMAIL, "password": WRONG})
    secrets.note(client.post(f"{AUTH}/session", json={"email": EMAIL, "password": SECOND}))
    client.cookies.clear()
    pair = secrets.note(client.post(f"{AUTH}/token", json={"email": EMAIL, "password": SECOND}))
    pair = secrets.note(client.post(f"{AUTH}/token/refresh", json={"refresh": pair["refresh"]}))
    bearer = {"Authorization": f"Bearer {pair['access']}"}
    body = {"name": "script", "scope": "read", "days": 1}
    made = secrets.note(client.post("/api/v1/me/tokens", json=body, headers=bearer))
    client.get("/api/v1/me", headers={"Authorization": f"Token {made['token']}"})
    client.get("/api/v1/me", headers={"Authorization": f"Bearer {pair['access']}x"})
    return bearer


def play(
    client: httpx.Client, site: Site, clip: Path, bearer: dict[str, str], secrets: Secrets
) -> None:
    with site.client() as editor:
        secrets.append(str(editor.headers["authorization"]).removeprefix("Bearer "))
        video = upload(editor, make_clip(clip), "Whispers")
        assert follow(editor, video["id"])[-1]["state"] == "ready"
    address = client.post(f"/api/v1/videos/{video['id']}/play", headers=bearer).json()["master_url"]
    secrets.append(str(httpx.URL(address).params["token"]))
    assert client.get(address).text.startswith("#EXTM3U")
    assert client.get(address.replace("master", "nothing")).status_code == 404


def test_no_secret_is_ever_logged(site: Site, tmp_path: Path) -> None:
    secrets = Secrets()
    with httpx.Client(
        base_url=site.url, timeout=60, headers={"X-Forwarded-For": "192.0.2.200"}
    ) as client:
        register(client, site, secrets)
        reset(client, site, secrets)
        bearer = sign_in(client, secrets)
        play(client, site, tmp_path / "clip.mp4", bearer, secrets)
    log = site.log()
    lines = [json.loads(line) for line in log.splitlines()]
    asked = [line for line in lines if line["logger"] == "videoflix.access"]
    assert len(asked) > 15
    assert {line["status"] for line in asked} >= {200, 201, 202, 204, 401, 404}
    done = {line["job"]: line for line in lines if line["event"] == "job done"}
    assert {"mail.send", "media.encode_chunk"} <= set(done)
    assert done["media.encode_chunk"]["job_id"] > 0
    assert done["media.encode_chunk"]["ms"] > 0
    assert len(secrets) > 12
    assert [secret for secret in secrets if secret in log] == []
