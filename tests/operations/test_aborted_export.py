"""An export of somebody's data ends when its client is gone."""

import asyncio
import time
from typing import Any

import pytest
from litestar import Litestar
from sqlalchemy import text

from conftest import PASSWORD
from queue_helpers import rows
from videoflix.accounts.service import Accounts
from videoflix.platform.postgres.session import transaction
from videoflix.sessions.service.sessions import Sessions

PATH = "/api/v1/me/export"


@pytest.fixture
async def token(committed: None) -> str:
    async with transaction() as session:
        user = await Accounts(session).create_user(email="a@example.org", password=PASSWORD)
        return (await Sessions(session).open(user)).access


async def ask(app: Litestar, token: str, stays: float) -> list[dict[str, Any]]:
    """What the application sends to a client that is gone after so many seconds."""
    sent: list[dict[str, Any]] = []
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await asyncio.sleep(stays)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "state": {},
    }
    await app(scope, receive, send)
    return sent


async def test_an_aborted_export_ends_with_its_client(app: Litestar, token: str) -> None:
    async with transaction() as blocker:
        await blocker.execute(text("lock table invoice in access exclusive mode"))
        begun = time.monotonic()
        sent = await ask(app, token, stays=0.5)
        assert time.monotonic() - begun < 3, "it would wait for the lock for five seconds"
        assert sent[0]["status"] == 400
    assert await rows("select id from security_event where kind = 'data-exported'") == []


async def test_an_export_that_is_waited_for_is_complete(app: Litestar, token: str) -> None:
    sent = await ask(app, token, stays=30)
    assert sent[0]["status"] == 200
    assert b"a@example.org" in b"".join(message.get("body", b"") for message in sent[1:])
    assert len(await rows("select id from security_event where kind = 'data-exported'")) == 1
