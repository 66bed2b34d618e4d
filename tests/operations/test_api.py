"""Health for machines, an overview for admins."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import http_client
from factories import JobIncidentFactory, create
from videoflix.operations import service as operations_service
from videoflix.operations.health_checks import SharedChecks
from videoflix.operations.schemas import Check
from videoflix.platform.auth import scrapers
from videoflix.platform.mail import queue_mail
from videoflix.setting_types import SmtpServer
from videoflix.settings import settings

ADA = "ada@example.org"
HEARD = "insert into procrastinate_workers (last_heartbeat) values (now())"


async def test_live_needs_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_means_this_process(client: httpx.AsyncClient) -> None:
    """Neither workers nor the storage are a reason to send a request elsewhere."""
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert set(answer.json()["checks"]) == {"database", "migrations"}


async def test_schema_behind_the_code_is_not_ready(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await session.execute(text("update schema_version set version_num = '0001'"))
    await session.commit()
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert "videoflix migrate" in answer.json()["checks"]["migrations"]["detail"]


async def test_schema_ahead_of_the_code_is_ready(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    """While a release is exchanged, the processes of the former one go on serving."""
    await session.execute(text("update schema_version set version_num = '9999'"))
    await session.commit()
    assert (await client.get("/health/ready")).status_code == 200


async def test_a_database_that_hangs_is_not_waited_for(app: Litestar, committed: None) -> None:
    holder = await asyncpg.connect(settings.database_dsn)
    try:
        async with holder.transaction(), http_client(app) as client:
            await holder.execute("lock table schema_version in access exclusive mode")
            begun = time.monotonic()
            answers = await asyncio.gather(*[client.get("/health/ready") for _ in range(20)])
            assert time.monotonic() - begun < 5
            assert {answer.status_code for answer in answers} == {503}
    finally:
        await holder.close()


async def test_many_who_ask_cost_as_much_as_one() -> None:
    asked = 0

    async def check() -> Check:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return Check(True, "")

    shared = SharedChecks({"database": check}, {"other": check}, kept_seconds=60)
    for _ in range(3):
        await asyncio.gather(*[shared.results() for _ in range(50)])
    assert asked == 2


async def test_details_are_for_staff_and_scrapers(
    client: httpx.AsyncClient,
    editor: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    session: AsyncSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (await client.get("/health/details")).status_code == 401
    assert (await editor.get("/health/details")).status_code == 403
    found = (await admin.get("/health/details")).json()
    assert found["status"] == "failing"
    assert {name: check["ok"] for name, check in found["checks"].items()} == {
        "database": True,
        "migrations": True,
        "notifications": True,
        "storage": True,
        "worker": False,
    }
    monkeypatch.setattr(
        scrapers, "settings", msgspec.structs.replace(settings, metrics_token="figures")
    )
    for token, status in (("figures", 200), ("figure", 401)):
        headers = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/health/details", headers=headers)).status_code == status


async def test_details_hear_of_workers(admin: httpx.AsyncClient, session: AsyncSession) -> None:
    await session.execute(text(HEARD))
    await session.commit()
    assert (await admin.get("/health/details")).json()["status"] == "ok"


async def test_silent_workers_are_told(admin: httpx.AsyncClient, session: AsyncSession) -> None:
    await session.execute(text(HEARD.replace("now()", "now() - interval '1 minute'")))
    await session.commit()
    found = (await admin.get("/health/details")).json()
    assert not found["checks"]["worker"]["ok"]


async def test_overview_is_for_admins(
    admin: httpx.AsyncClient, editor: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    assert (await editor.get("/api/v1/operations/overview")).status_code == 403
    assert (await client.get("/api/v1/operations/overview")).status_code == 401
    await editor.post("/api/v1/videos", data={"title": "T"}, files={"file": ("a", b"abc")})
    overview = (await admin.get("/api/v1/operations/overview")).json()
    assert overview["videos"] == {"processing": 1, "ready": 0, "failed": 0}
    (queue,) = overview["queues"]
    assert (queue["queue"], queue["todo"], queue["doing"]) == ("transcode", 1, 0)
    assert queue["oldest_seconds"] >= 0
    assert (queue["rescued"], queue["fenced"], queue["unknown"]) == (0, 0, 0)


async def test_incidents_of_the_last_day_are_counted(
    admin: httpx.AsyncClient, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    await editor.post("/api/v1/videos", data={"title": "T"}, files={"file": ("a", b"abc")})
    for kind, hours in (("rescued", 1), ("rescued", 23), ("rescued", 25), ("unknown", 1)):
        before = datetime.now(UTC) - timedelta(hours=hours)
        await create(
            session, JobIncidentFactory, kind=kind, queue_name="transcode", created_at=before
        )
    await session.commit()
    (queue,) = (await admin.get("/api/v1/operations/overview")).json()["queues"]
    assert (queue["rescued"], queue["fenced"], queue["unknown"]) == (2, 0, 1)


async def test_kept_mail_is_listed_for_admins_and_read_by_owners(
    admin: httpx.AsyncClient,
    editor: httpx.AsyncClient,
    owner: httpx.AsyncClient,
    session: AsyncSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A mailed link is as good as the account it is for: with a mail server nobody reads it."""
    link = "https://films.example/#/reset/" + "x" * 43
    await queue_mail(session, to=ADA, template="password-changed", values={"url": link})
    await session.commit()
    assert (await editor.get("/api/v1/operations/mail")).status_code == 403
    for reader, reads in ((admin, False), (owner, True)):
        answer = await reader.get("/api/v1/operations/mail")
        (mail,) = answer.json()["items"]
        assert (mail["to"], mail["sent_at"], mail["failure"]) == (ADA, None, None)
        assert mail["subject"] == "Your password was changed"
        assert (link in mail["text"], link in mail["html"]) == (reads, reads)
    served = msgspec.structs.replace(settings, smtp_url=SmtpServer("smtp://mail.example:25"))
    monkeypatch.setattr(operations_service, "settings", served)
    for reader in (admin, owner):
        answer = await reader.get("/api/v1/operations/mail")
        assert answer.json()["total"] == 1
        assert "x" * 43 not in answer.text


async def test_workers_that_stopped_fetching_are_told(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    await session.execute(text(HEARD))
    await session.execute(
        text(
            "insert into worker_breaker"
            " (worker_id, queue_name, host, reason, created_at, updated_at)"
            " select id, 'transcode', 'h', 'FFmpeg: gone', now(), now() from procrastinate_workers"
        )
    )
    await session.commit()
    found = (await admin.get("/api/v1/operations/jobs/overview")).json()
    assert found["workers"][0]["stopped"] == {"transcode": "FFmpeg: gone"}
    overview = (await admin.get("/api/v1/operations/overview")).json()
    check = overview["checks"]["worker"]
    assert not check["ok"]
    assert check["detail"].endswith("has stopped fetching from transcode: FFmpeg: gone")
