"""Exports over HTTP, made by the queue."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest
from litestar import Litestar

from catalog.factories import add_films
from conftest import http_client
from factories import ExportFactory, create
from queue_helpers import make_due, rows, run_jobs, states
from videoflix.accounts.service import Accounts
from videoflix.backup import jobs as transfer_jobs
from videoflix.backup.archive import Archive
from videoflix.backup.models import ExportState
from videoflix.backup.schemas import SweepExports, WeeklyExport
from videoflix.backup.service import exports as making
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue.cron import schedules
from videoflix.platform.storage.media_storage import Storage, StorageFull, media_storage
from videoflix.sessions.service.sessions import Sessions
from videoflix.settings import settings
from videoflix.worker import queue

EXPORTS = "/api/v1/operations/exports"


@pytest.fixture
async def boss(committed: None, app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """An owner of an installation whose transactions are real: exports read by another."""
    async with transaction() as session:
        user = await Accounts(session).create_user(
            email="boss@example.org", password="correct horse", first_name="B", role=Role.OWNER
        )
        pair = await Sessions(session).open(user)
        await add_films(session, {"title": "Düne"}, {"title": "Alien"})
    headers = {"Authorization": f"Bearer {pair.access}"}
    async with queue.open_async(), http_client(app, headers) as client:
        yield client
    await media_storage().delete_below("exports")


async def made(boss: httpx.AsyncClient, query: str = "") -> str:
    """Where an export is that was made."""
    asked = await boss.post(f"{EXPORTS}{query}")
    assert asked.status_code == 202, asked.text
    assert asked.json()["state"] == "waiting"
    await run_jobs(queue_name="default")
    return str(asked.headers["location"])


async def test_exports_are_for_admins(editor: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    for path in (EXPORTS, f"{EXPORTS}/1", f"{EXPORTS}/1/file"):
        assert (await editor.get(path)).status_code == 403
        assert (await client.get(path)).status_code == 401
    assert (await editor.post(EXPORTS)).status_code == 403
    assert (await editor.delete(f"{EXPORTS}/1")).status_code == 403


async def test_export_is_asked_for_made_and_taken(boss: httpx.AsyncClient, tmp_path: Path) -> None:
    place = await made(boss)
    shown = (await boss.get(place)).json()
    assert (shown["state"], shown["with_media"], shown["failure"]) == ("ready", False, None)
    answer = await boss.get(f"{place}/file")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert len(answer.content) == shown["size"] == int(answer.headers["content-length"])
    path = tmp_path / "export.zip"
    path.write_bytes(answer.content)
    with Archive(path) as archive:
        archive.check()
        assert archive.manifest.tables["video"].rows == 2
        assert archive.manifest.rows == shown["rows"]
        assert b"D\xc3\xbcne" in b"".join(archive.lines("video"))
    kinds = await rows("select kind from security_event where kind like 'archive%' order by id")
    assert [row["kind"] for row in kinds] == ["archive-asked", "archive-downloaded"]


async def test_secrets_of_sign_ins_stay(boss: httpx.AsyncClient) -> None:
    place = await made(boss)
    data = (await boss.get(f"{place}/file")).content
    with ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        people = archive.read("tables/user_account.jsonl")
    assert b"$argon2id$" in people  # people keep their passwords where it is imported
    for table in ("sign_in", "refresh_token", "mail_token", "mail", "procrastinate_jobs"):
        assert f"tables/{table}.jsonl" not in names


async def test_broken_download_goes_on(boss: httpx.AsyncClient) -> None:
    place = f"{await made(boss)}/file"
    whole = (await boss.get(place)).content
    etag = (await boss.get(place)).headers["etag"]
    for wanted, expected in (
        ("bytes=0-9", whole[:10]),
        ("bytes=100-", whole[100:]),
        ("bytes=-7", whole[-7:]),
        (f"bytes=5-{2**62}", whole[5:]),
    ):
        part = await boss.get(place, headers={"Range": wanted, "If-Range": etag})
        assert (part.status_code, part.content) == (206, expected)
        assert part.headers["content-range"].endswith(f"/{len(whole)}")
    for wanted in ("bytes=0-1,5-6", "lines=1-2", "bytes=-"):
        assert (await boss.get(place, headers={"Range": wanted})).content == whole
    other = {"Range": "bytes=0-1", "If-Range": '"another"'}
    assert (await boss.get(place, headers=other)).content == whole
    beyond = await boss.get(place, headers={"Range": f"bytes={len(whole)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")


async def test_media_come_along_when_asked_for(boss: httpx.AsyncClient) -> None:
    async with media_storage().writing("assets/x/source") as writer:
        await writer.write(b"film" * 100_000)
    place = await made(boss, "?media=true")
    with ZipFile(io.BytesIO((await boss.get(f"{place}/file")).content)) as archive:
        assert archive.read("media/assets/x/source") == b"film" * 100_000
        assert not [name for name in archive.namelist() if name.startswith("media/exports/")]


async def test_one_waits_and_is_enough(boss: httpx.AsyncClient) -> None:
    first, second = [(await boss.post(EXPORTS)).json()["id"] for _ in range(2)]
    assert first == second
    assert (await boss.post(f"{EXPORTS}?media=true")).json()["id"] != first
    assert (await boss.get(EXPORTS)).json()["total"] == 2


async def test_deleted_exports_take_their_file_along(boss: httpx.AsyncClient) -> None:
    place = await made(boss)
    assert (await boss.delete(place)).status_code == 204
    for path in (place, f"{place}/file"):
        assert (await boss.get(path)).status_code == 404
    assert (await boss.delete(place)).status_code == 404
    await run_jobs(queue_name="default")
    assert await media_storage().keys("exports") == []


async def test_export_deleted_before_it_is_made_is_not_made(boss: httpx.AsyncClient) -> None:
    place = (await boss.post(EXPORTS)).headers["location"]
    assert (await boss.get(f"{place}/file")).status_code == 409
    await boss.delete(place)
    await run_jobs(queue_name="default")
    assert await states() == [("succeeded", 1)]
    assert await media_storage().keys("exports") == []


async def test_full_disk_is_told_and_not_tried_again(
    boss: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(self: Storage, size: int) -> None:
        raise StorageFull

    monkeypatch.setattr(Storage, "refuse_if_full", full)
    shown = (await boss.get(await made(boss))).json()
    assert shown["state"] == "failed"
    assert "not enough space" in shown["failure"]
    assert await states() == [("succeeded", 1)]
    assert await media_storage().keys("exports") == []


async def test_export_that_never_succeeds_says_why(
    boss: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*, with_media: bool) -> None:
        raise RuntimeError("the moon is in the way")

    monkeypatch.setattr(transfer_jobs, "store_archive", broken)
    place = await made(boss)
    for _ in range(2):
        assert (await boss.get(place)).json()["state"] == "running"
        await make_due()
        await run_jobs(queue_name="default")
    shown = (await boss.get(place)).json()
    assert (shown["state"], shown["failure"]) == ("failed", "the moon is in the way")


async def test_only_the_newest_are_kept(boss: httpx.AsyncClient) -> None:
    for _ in range(settings.exports_kept + 2):
        await made(boss)
    await run_jobs(queue_name="default")
    listed = (await boss.get(EXPORTS, params={"limit": 100})).json()
    assert listed["total"] == settings.exports_kept
    assert len(await media_storage().keys("exports")) == settings.exports_kept
    async with transaction() as session:
        await create(session, ExportFactory, state=ExportState.FAILED)
    await transfer_jobs.sweep_exports(SweepExports())
    await transfer_jobs.sweep_exports(SweepExports())
    assert (await boss.get(EXPORTS)).json()["total"] == settings.exports_kept + 1


async def test_leftovers_of_killed_workers_are_swept(
    boss: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await made(boss)
    folder = media_storage().folder
    assert folder is not None
    for name in ("archive.zip", "archive.zip#1"):
        lost = folder / "exports" / "lost" / name
        lost.parent.mkdir(exist_ok=True)
        lost.write_bytes(b"half")
    await transfer_jobs.sweep_exports(SweepExports())
    assert lost.exists()  # it may be being written
    monkeypatch.setattr(making, "MIN_LEFTOVER_AGE", timedelta(seconds=-1))
    await transfer_jobs.sweep_exports(SweepExports())
    assert not list(lost.parent.glob("*"))
    assert (await boss.get(f"{place}/file")).status_code == 200


async def test_one_is_asked_for_every_sunday(boss: httpx.AsyncClient) -> None:
    weekly = schedules["transfer.weekly_export"]
    saturday = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert weekly.next_due(saturday).astimezone(settings.time_zone) == datetime(
        2026, 11, 22, 6, tzinfo=settings.time_zone
    )
    assert weekly.job == WeeklyExport()
    await transfer_jobs.request_weekly_export(WeeklyExport())
    await run_jobs(queue_name="default")
    assert [row["state"] for row in await rows("select state from export")] == ["ready"]
