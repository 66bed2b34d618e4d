"""A bucket refuses access for a while: nothing is lost, and films are ready afterwards."""

import hashlib
from collections.abc import Iterator

import obstore
import pytest
from obstore.store import S3Store

from media.worker_processes import WorkerSite, new_database
from postgres import open_folder
from refusing_proxy import RefusingProxy, refusing_proxy
from s3_server import environment, make_bucket, running_s3
from videoflix.settings import settings


class BucketSite(WorkerSite):
    """Films in a bucket, which workers reach by a proxy."""

    def __init__(self, *arguments: object, s3: str, proxy: RefusingProxy) -> None:
        make_bucket(s3, "films")
        self.bucket = S3Store(
            "films",
            endpoint=s3,
            access_key_id="key",
            secret_access_key="secret",
            region="us-east-1",
            client_options={"allow_http": True},
        )
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.environment |= {"STORAGE_URL": "s3://films", **environment(proxy.address)}

    def write(self, key: str, data: bytes) -> None:
        obstore.put(self.bucket, key, data)

    def read(self, key: str) -> bytes:
        return bytes(obstore.get(self.bucket, key).bytes())


@pytest.fixture
def proxy() -> Iterator[tuple[str, RefusingProxy]]:
    with running_s3() as s3, refusing_proxy(s3, "/assets/") as proxy:
        yield s3, proxy


def test_bucket_refuses_reads_and_then_writes(
    database: None, proxy: tuple[str, RefusingProxy]
) -> None:
    s3, bucket = proxy
    with open_folder() as home, open_folder() as tools:
        site = BucketSite(new_database(settings.database_dsn), home, tools, s3=s3, proxy=bucket)
        try:
            site.start()
            bucket.refused = {"GET", "HEAD"}
            site.upload(1)
            site.until_stalled("storage-unavailable")
            assert bucket.refusals
            bucket.refused, bucket.refusals = {"PUT", "POST"}, 0
            site.until(lambda: bucket.refusals > 0)
            site.until_stalled("storage-unavailable")
            [(plan,)] = site.ask("select plan is not null from media_asset")
            assert plan, "the file could be read"
            bucket.refused = set()
            site.until_ready()
            site.assert_sources_are_there()
            site.assert_no_attempt_was_spent()
            assert bucket.bytes_read("/source") <= 1.2 * len(site.clip), "one download per machine"
            for key, digest in site.ask("select key, sha256 from media_part"):
                assert hashlib.sha256(site.read(key)).hexdigest() == digest
        finally:
            site.stop()
