"""What tests of dialects leave behind goes."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from videoflix.compat import authemail
from videoflix.compat.academy import auth as academy_entrance
from videoflix.compat.academy import registration as academy_letters
from videoflix.compat.movies import registration as movie_letters
from videoflix.compat.netiflex import auth as netiflex_entrance
from videoflix.compat.netiflex import registration as netiflex_letters
from videoflix.platform.storage.media_storage import media_storage
from videoflix.settings import settings


@pytest.fixture(autouse=True)
async def clean_storage() -> AsyncIterator[None]:
    yield
    await media_storage().delete_below("assets")


@pytest.fixture
def older_manners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dialects that tell who has an account, and take being signed in for proof."""
    changed = msgspec.structs.replace(
        settings, dialects_reveal_accounts=True, dialects_trust_sign_in=True
    )
    for module in (academy_entrance, academy_letters, authemail, movie_letters, netiflex_entrance):
        monkeypatch.setattr(module, "settings", changed)
    monkeypatch.setattr(netiflex_letters, "settings", changed)
