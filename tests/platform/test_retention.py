"""Rows past their retention are deleted by one job."""

import re
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from queue_helpers import execute, rows, run_jobs
from videoflix.platform import retention
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import BatchFailed, enqueue, queue
from videoflix.platform.retention import DeleteExpired, Rule, delete_expired, rules
from videoflix.worker import ROLES

PAGE = Path(__file__).parents[2] / "docs" / "operate.md"
TABLE = re.compile(r"`retention\.delete_expired` deletes:\n\n(?:\|.*\n){2}((?:\|.*\n)+)")
OLD_MAIL = """
insert into mail (recipient, subject, text, html, created_at, updated_at)
values ('a@example.org', 's', 't', 'h', now() - cast(:age as interval), now())
"""


def test_every_rule_is_documented() -> None:
    assert "maintenance" in ROLES
    table = TABLE.search(PAGE.read_text())
    assert table
    documented = [
        tuple(cell.strip() for cell in row.split("|")[1:3]) for row in table[1].splitlines()
    ]
    assert documented == sorted((rule.what, rule.kept) for rule in rules)


async def test_rows_past_their_retention_are_deleted(committed: None) -> None:
    for age in ("29 days", "31 days"):
        await execute(OLD_MAIL.replace(":age", f"'{age}'"))
    async with transaction() as session:
        await enqueue(session, DeleteExpired())
    async with queue.open_async():
        await run_jobs(queue_name="maintenance")
    assert await rows("select text from mail") == [{"text": ""}], "its links cannot be opened"


@pytest.mark.parametrize("name", DeleteExpired.former_names)
async def test_jobs_of_earlier_releases_are_done(committed: None, name: str) -> None:
    await execute(OLD_MAIL.replace(":age", "'31 days'"))
    await execute(
        "insert into procrastinate_jobs (queue_name, task_name) values ('maintenance', :name)",
        name=name,
    )
    async with queue.open_async():
        await run_jobs(queue_name="maintenance")
    assert await rows("select status::text as status from procrastinate_jobs") == [
        {"status": "succeeded"}
    ]
    assert await rows("select id from mail") == []


async def test_rule_that_fails_holds_up_none_of_the_others(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(session: AsyncSession) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(retention, "rules", [Rule("nothing", "never", fail), *rules])
    await execute(OLD_MAIL.replace(":age", "'31 days'"))
    with pytest.raises(BatchFailed):
        await delete_expired(DeleteExpired())
    assert await rows("select id from mail") == []
