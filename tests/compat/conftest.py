"""What tests of dialects leave behind goes."""

from collections.abc import AsyncIterator

import pytest

from videoflix.platform.storage import media_storage


@pytest.fixture(autouse=True)
async def clean_storage() -> AsyncIterator[None]:
    yield
    await media_storage().delete_below("assets")
