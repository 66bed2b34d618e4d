"""Arenas for the trials; the outages, which are mostly waiting, go on beside all others."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from chaos.arena import Arena, arena_on
from chaos.outages import LENGTHS, Outcome, outage
from postgres import HOME
from videoflix.settings import settings


@pytest.fixture
def arena(database: None, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Arena]:
    name = "chaos_" + request.node.name.removeprefix("test_")[:40]
    with arena_on(settings.database_dsn, name, tmp_path) as arena:
        yield arena


@pytest.fixture(scope="session", autouse=True)
def outages(request: pytest.FixtureRequest) -> Iterator[dict[float, Future[Outcome]]]:
    """The outcome of each length of outage, in seconds."""
    if not any(item.path.name == "test_outages.py" for item in request.session.items):
        yield {}
        return
    folder = HOME / "outages"
    folder.mkdir()
    folder.chmod(0o711)
    with ThreadPoolExecutor(len(LENGTHS)) as pool:
        yield {seconds: pool.submit(outage, seconds, folder) for seconds in LENGTHS}
