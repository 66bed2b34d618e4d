"""A receiver on loopback, which deliveries may reach."""

from collections.abc import AsyncIterator, Iterator

import httpx
import msgspec
import pytest
from litestar import Litestar

from conftest import sign_in
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import alchemy
from videoflix.settings import settings
from videoflix.webhooks.service import delivering
from webhooks.receiver import Receiver, receiving


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    changed = msgspec.structs.replace(settings, webhook_allowed_networks="127.0.0.0/8")
    monkeypatch.setattr(delivering, "settings", changed)
    with receiving() as receiver:
        yield receiver


@pytest.fixture
async def manager(app: Litestar, committed: None) -> AsyncIterator[httpx.AsyncClient]:
    """An administrator whose changes are committed, for what workers do."""
    async with alchemy.get_session() as session:
        client = await sign_in(app, session, Role.ADMIN)
    async with client:
        yield client
