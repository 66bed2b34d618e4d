"""Views are written together, and a database that does not answer holds nothing up."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from videoflix.library import view_counter
from videoflix.library.view_counter import Seen, ViewCounter
from videoflix.platform.postgres.session import transaction


async def test_writing_has_a_deadline_and_the_views_wait(
    committed: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(view_counter, "DEADLINE_SECONDS", 0.3)
    answers, written = False, list[Seen]()

    async def write(seen: Sequence[Seen]) -> None:
        async with transaction() as session:
            if not answers:
                await session.execute(text("select pg_sleep(20)"))
        written.extend(seen)

    counter = ViewCounter(write)
    async with asyncio.timeout(5):
        async with counter.running():
            counter.count(1, 1)
    assert "could not write views; retrying later (TimeoutError)" in caplog.text
    assert written == []
    answers = True
    await counter.flush()
    assert [seen[:2] for seen in written] == [(1, 1)]
