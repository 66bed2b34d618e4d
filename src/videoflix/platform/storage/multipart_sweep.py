"""Abort multipart uploads that killed writers left in an S3 bucket, whose parts cost money.

The storage library neither lists nor resumes them, so these two requests are signed here: AWS
Signature Version 4 with an empty body
(https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
"""

import hashlib
import hmac
import logging
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import msgspec

from videoflix.platform.storage.errors import StorageUnavailable
from videoflix.platform.storage.media_storage import Storage
from videoflix.settings import settings

logger = logging.getLogger(__name__)

EMPTY = hashlib.sha256(b"").hexdigest()
UPLOAD = re.compile(r"<Upload>(.*?)</Upload>", re.S)
UNUSED_KEY = "unused"


class Bucket(msgspec.Struct, frozen=True):
    """Where a bucket is, and with which credentials its requests are signed."""

    url: str
    prefix: str
    region: str
    access_key: str
    secret_key: str
    token: str = ""


class Unfinished(msgspec.Struct, frozen=True):
    """A multipart upload that was neither completed nor aborted."""

    key: str
    upload_id: str
    since: datetime


async def abort_unfinished(storage: Storage, older_than: timedelta) -> int:
    """Abort the unfinished multipart uploads of a storage that are older; return their number.

    Without effect on other stores than S3, if the credentials are not in AWS_… variables, and if
    the server refuses: the bucket needs a lifecycle rule then. Raises StorageUnavailable.
    """
    bucket = await _bucket_of(storage)
    if bucket is None:
        return 0
    until, aborted = await storage.clock() - older_than, 0
    try:
        async with httpx.AsyncClient(timeout=settings.storage_timeout_seconds) as client:
            for found in await _listed(client, bucket):
                if found.since < until:
                    query = {"uploadId": found.upload_id}
                    await _request(client, bucket, "DELETE", f"/{found.key}", query)
                    aborted += 1
    except httpx.HTTPStatusError as refused:
        status = refused.response.status_code
        logger.warning("the bucket refuses to abort unfinished multipart uploads (%s)", status)
    except httpx.HTTPError as error:
        raise StorageUnavailable from error
    return aborted


async def _listed(client: httpx.AsyncClient, bucket: Bucket) -> list[Unfinished]:
    """List the unfinished uploads below the prefix."""
    found: list[Unfinished] = []
    query = {"uploads": "", "prefix": bucket.prefix}
    while True:
        text = await _request(client, bucket, "GET", "/", query)
        found += [upload for upload in _parsed(text) if upload.key.startswith(bucket.prefix)]
        if _element(text, "IsTruncated") != "true":
            return found
        query["key-marker"] = _element(text, "NextKeyMarker")
        query["upload-id-marker"] = _element(text, "NextUploadIdMarker")


def _parsed(text: str) -> Iterator[Unfinished]:
    for block in UPLOAD.findall(text):
        since = datetime.fromisoformat(_element(block, "Initiated"))
        yield Unfinished(_element(block, "Key"), _element(block, "UploadId"), since)


def _element(text: str, name: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", text, re.S)
    return unescape(found[1].strip()) if found else ""


async def _bucket_of(storage: Storage) -> Bucket | None:
    """Find out the bucket's URL and region from a URL that the storage library signs."""
    parts = urlsplit(storage.url)
    if parts.scheme not in {"s3", "s3a"}:
        return None
    signed = await storage.signed_url(UNUSED_KEY, timedelta(seconds=60))
    url, _, query = signed.partition("?")
    access_key, _, region, *_ = parse_qs(query)["X-Amz-Credential"][0].split("/")
    if access_key != os.environ.get("AWS_ACCESS_KEY_ID"):
        return None
    prefix = parts.path.strip("/")
    prefix = f"{prefix}/" if prefix else ""
    return Bucket(
        url=url.removesuffix(f"/{quote(prefix)}{UNUSED_KEY}"),
        prefix=prefix,
        region=region,
        access_key=access_key,
        secret_key=os.environ.get("AWS_SECRET_ACCESS_KEY", ""),
        token=os.environ.get("AWS_SESSION_TOKEN", ""),
    )


async def _request(
    client: httpx.AsyncClient, bucket: Bucket, method: str, path: str, query: dict[str, str]
) -> str:
    parts = urlsplit(bucket.url)
    path = quote(f"{parts.path}{path}")
    line = "&".join(
        f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query)
    )
    headers = signed_headers(bucket, method, parts.netloc, path, line, datetime.now(UTC))
    url = f"{parts.scheme}://{parts.netloc}{path}?{line}"
    response = await client.request(method, url, headers=headers)
    response.raise_for_status()
    return response.text


def signed_headers(
    bucket: Bucket, method: str, host: str, path: str, query: str, now: datetime
) -> dict[str, str]:
    """Sign a request without a body; `query` is sorted and encoded."""
    headers = {
        "host": host,
        "x-amz-content-sha256": EMPTY,
        "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
    }
    if bucket.token:
        headers["x-amz-security-token"] = bucket.token
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{EMPTY}"
    steps = (now.strftime("%Y%m%d"), bucket.region, "s3", "aws4_request")
    scope = "/".join(steps)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{digest}"
    key = f"AWS4{bucket.secret_key}".encode()
    for step in (*steps, text):
        key = hmac.digest(key, step.encode(), "sha256")
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={bucket.access_key}/{scope},"
        f"SignedHeaders={names},Signature={key.hex()}"
    )
    return headers
