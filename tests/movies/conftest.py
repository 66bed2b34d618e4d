"""A provider in a process of its own, and the application pointed at it."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from videoflix.movies.providers import registry
from videoflix.movies.service import answer_cache
from videoflix.settings import settings

# Long enough for a busy machine, short enough to wait for.
SECONDS = 2.5
IN_FLIGHT = 2


class FakeProvider:
    """The process: `be()` tells it how to behave, `asked()` counts what it was asked."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """On the same port as before, if there was one."""
        script = Path(__file__).parent / "provider.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(self.port)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def stop(self) -> None:
        """Gone, as if its machine was switched off."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def be(self, mode: str, elsewhere: str = "") -> None:
        httpx.get(f"{self.url}/be", params={"mode": mode, "elsewhere": elsewhere}, trust_env=False)

    def asked(self) -> int:
        return int(self._counted("asked"))

    def most_at_once(self) -> int:
        return int(self._counted("most_at_once"))

    def last(self) -> dict[str, str]:
        """The path and the headers of the last question."""
        found: dict[str, str] = self._counted("last")
        return found

    def _counted(self, what: str) -> Any:
        return httpx.get(f"{self.url}/asked", trust_env=False).json()[what]


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    fake = FakeProvider()
    yield fake
    fake.stop()


@pytest.fixture
async def provider(
    fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FakeProvider]:
    """The provider in force, with nothing known about it yet."""
    changed = msgspec.structs.replace(
        settings,
        movies_provider="november7",
        movies_url=fake.url,
        movies_timeout_seconds=SECONDS,
        movies_in_flight=IN_FLIGHT,
    )
    monkeypatch.setattr(registry, "settings", changed)
    monkeypatch.setattr(answer_cache, "settings", changed)
    answer_cache.answer_cache.clear()
    async with registry.provider_lifespan(None):
        yield fake
    answer_cache.answer_cache.clear()
