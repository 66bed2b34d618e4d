"""What these tests upload goes again."""

from collections.abc import AsyncIterator

import pytest

from videoflix.platform.storage.media_storage import media_storage


@pytest.fixture(autouse=True)
async def tidy_storage() -> AsyncIterator[None]:
    yield
    await media_storage().delete_below("assets")
