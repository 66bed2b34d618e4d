"""Health for machines, an overview for admins."""

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.mail import post_mail

HEARD = "insert into procrastinate_workers (last_heartbeat) values (now())"


async def test_live_needs_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_once_a_worker_was_heard(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert {name: check["ok"] for name, check in checks.items()} == {
        "database": True,
        "migrations": True,
        "storage": True,
        "worker": False,
    }
    await session.execute(text(HEARD))
    await session.commit()
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_silent_worker_is_not_ready(client: httpx.AsyncClient, session: AsyncSession) -> None:
    await session.execute(text(HEARD.replace("now()", "now() - interval '1 minute'")))
    await session.commit()
    assert (await client.get("/health/ready")).status_code == 503


async def test_schema_behind_the_code_is_not_ready(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await session.execute(text(HEARD))
    await session.execute(text("update schema_version set version_num = '0001'"))
    await session.commit()
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert "videoflix migrate" in answer.json()["checks"]["migrations"]["detail"]


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
        await session.execute(
            text(
                "insert into job_incident (kind, job_id, queue_name, task_name, attempt, reason,"
                " created_at, updated_at) values (:kind, 1, 'transcode', 't', 0, '',"
                " now() - make_interval(hours => :hours), now())"
            ),
            {"kind": kind, "hours": hours},
        )
    await session.commit()
    (queue,) = (await admin.get("/api/v1/operations/overview")).json()["queues"]
    assert (queue["rescued"], queue["fenced"], queue["unknown"]) == (2, 0, 1)


async def test_kept_mail_is_for_admins(
    admin: httpx.AsyncClient, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    await post_mail(
        session, to="ada@example.org", letter="password-changed", values={"url": "https://x/"}
    )
    await session.commit()
    assert (await editor.get("/api/v1/operations/mail")).status_code == 403
    page = (await admin.get("/api/v1/operations/mail")).json()
    assert page["total"] == 1
    mail = page["items"][0]
    assert (mail["to"], mail["sent_at"], mail["failure"]) == ("ada@example.org", None, None)
    assert mail["subject"] == "Your password was changed"
    assert "https://x/" in mail["text"]
    assert "https://x/" in mail["html"]
