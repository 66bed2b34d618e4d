"""Arenas for the trials; all outages, which are mostly waiting, run at once."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

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


@pytest.fixture(scope="module")
def outages() -> Iterator[dict[float, Future[Outcome]]]:
    """The outcome of each length of outage, in seconds."""
    folder = HOME / "outages"
    folder.mkdir()
    folder.chmod(0o711)
    starting = Lock()
    with ThreadPoolExecutor(len(LENGTHS)) as pool:
        yield {seconds: pool.submit(outage, seconds, folder, starting) for seconds in LENGTHS}
