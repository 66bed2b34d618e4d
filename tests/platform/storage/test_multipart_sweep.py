"""Multipart uploads that killed writers left: signatures, listing and aborting."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

import s3_server
from refusing_proxy import refusing_proxy
from videoflix.platform.storage.errors import StorageUnavailable
from videoflix.platform.storage.media_storage import Storage
from videoflix.platform.storage.multipart_sweep import Bucket, abort_unfinished, signed_headers

# Examples of "Authenticating Requests: Using the Authorization Header" in Amazon's reference.
EXAMPLE = Bucket(
    url="https://examplebucket.s3.amazonaws.com",
    prefix="",
    region="us-east-1",
    access_key="AKIAIOSFODNN7EXAMPLE",
    secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)
SIGNED = {
    "lifecycle=": "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    "max-keys=2&prefix=J": "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
}


@pytest.mark.parametrize(("query", "signature"), SIGNED.items())
def test_signatures_are_those_of_the_reference(query: str, signature: str) -> None:
    now = datetime(2013, 5, 24, tzinfo=UTC)
    host = "examplebucket.s3.amazonaws.com"
    headers = signed_headers(EXAMPLE, "GET", host, "/", query, now)
    assert headers["authorization"].endswith(f"Signature={signature}")
    assert headers["x-amz-date"] == "20130524T000000Z"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server.running_s3() as address:
        s3_server.make_bucket(address, "films")
        yield address


@pytest.fixture
def storage(s3: str, monkeypatch: pytest.MonkeyPatch) -> Storage:
    for name, value in s3_server.environment(s3).items():
        monkeypatch.setenv(name, value)
    return Storage("s3://films/our site")


def begin(s3: str, key: str) -> None:
    httpx.post(f"{s3}/films/{key}?uploads").raise_for_status()


def unfinished(s3: str) -> int:
    return httpx.get(f"{s3}/films?uploads").text.count("<Upload>")


async def test_only_our_own_old_uploads_are_aborted(s3: str, storage: Storage) -> None:
    """The server says of every upload that it began in 2010."""
    for key in ("our site/assets/a/1.mp4", "our site/assets/ä & b", "theirs/assets/a"):
        begin(s3, key)
    assert await abort_unfinished(storage, timedelta(days=365 * 100)) == 0
    assert unfinished(s3) == 3
    assert await abort_unfinished(storage, timedelta(days=1)) == 2
    assert unfinished(s3) == 1
    assert await abort_unfinished(storage, timedelta(days=1)) == 0


async def test_other_stores_and_credentials_have_nothing_to_abort(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await abort_unfinished(Storage(tmp_path.as_uri()), timedelta(0)) == 0
    assert await storage.keys("") == []  # opens it with the credentials of the environment
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert await abort_unfinished(storage, timedelta(0)) == 0


async def test_refusal_is_logged_and_an_outage_raises(
    s3: str, storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin(s3, "our site/assets/a/2.mp4")
    with refusing_proxy(s3, "uploads") as proxy:
        proxy.refused = {"GET"}
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        assert await abort_unfinished(Storage(storage.url), timedelta(days=1)) == 0
    assert "refuses to abort unfinished multipart uploads (403)" in caplog.text
    with pytest.raises(StorageUnavailable):
        await abort_unfinished(Storage("s3://nothing"), timedelta(0))
