"""Storages that uploads are tested with."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text

import s3_server
from videoflix.platform.postgres.session import transaction
from videoflix.platform.storage import installation
from videoflix.platform.storage import media_storage as storage_module
from videoflix.platform.storage.media_storage import Storage
from videoflix.uploads import jobs
from videoflix.uploads.api import uploads as api
from videoflix.uploads.service import receiving, sweeping

USERS_OF_THE_STORAGE = (jobs, api, receiving, sweeping, installation, storage_module)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    with s3_server.running_s3() as address:
        yield address


@pytest.fixture(params=["folder", "bucket"])
async def storage(
    request: pytest.FixtureRequest, database: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Storage]:
    """The media storage: the folder of this run, or a new bucket."""
    if request.param == "folder":
        folder = storage_module.media_storage()
        yield folder
        await folder.delete_below("assets")
        await folder.delete_below("uploads")
        return
    address = request.getfixturevalue("s3")
    for name, value in s3_server.environment(address).items():
        monkeypatch.setenv(name, value)
    bucket = f"b{uuid.uuid4().hex[:20]}"
    s3_server.make_bucket(address, bucket)
    made = Storage(f"s3://{bucket}/prefix")
    for module in USERS_OF_THE_STORAGE:
        monkeypatch.setattr(module, "media_storage", lambda: made)
    async with transaction() as session:
        await made.mark(str(await session.scalar(text("select storage_id from installation"))))
    yield made
