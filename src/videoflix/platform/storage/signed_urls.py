"""Signed URLs of stored objects, at the bucket or a CDN: the same for all viewers of a window.

The expiry is rounded to windows of DELIVERY_URL_SECONDS, so that browsers and CDNs cache by URL.
The play token is checked before each URL is given out, and is no part of it.
"""

import os
import sys
import time
from datetime import timedelta
from functools import cache
from urllib.parse import quote, urlsplit

from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.storage.cdn_signers import (
    BunnyToken,
    CdnSigner,
    CloudflareToken,
    CloudFrontPolicy,
    NginxSecureLink,
)
from videoflix.platform.storage.media_storage import media_storage
from videoflix.settings import settings

SIGNED_MAX = 5_000
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
# Where buckets without an endpoint of their own are, by scheme of STORAGE_URL.
BUCKET_ORIGINS = {
    "gs": "https://storage.googleapis.com",
    "az": "https://*.blob.core.windows.net",
    "azure": "https://*.blob.core.windows.net",
}

_signed: LruCache[tuple[str, int], str] = LruCache("signed urls", SIGNED_MAX)


async def signed_url(key: str) -> str:
    """Sign the URL of an object, valid for one to two windows. Raises a StorageProblem."""
    window = settings.delivery_url_seconds
    begins = int(time.time()) // window * window
    found = _signed.get((key, begins))
    if found is None:
        expires = begins + 2 * window
        found = _signed[key, begins] = await _sign(key, begins, expires)
    return found


async def _sign(key: str, begins: int, expires: int) -> str:
    if settings.delivery == "presigned":
        lifetime = timedelta(seconds=expires - int(time.time()))
        return await media_storage().signed_url(key, lifetime)
    url = f"{settings.cdn_url}/{quote(key)}"
    return cdn_signer().sign(url, urlsplit(url).path, begins, expires)


@cache
def cdn_signer() -> CdnSigner:
    """The signer of CDN_SIGNER. Raises ValueError if its key cannot be used."""
    secret = settings.cdn_secret_key
    if settings.cdn_signer == "cloudfront":
        return CloudFrontPolicy(secret, settings.cdn_key_id)
    if settings.cdn_signer == "bunny":
        return BunnyToken(secret)
    return (
        CloudflareToken(secret) if settings.cdn_signer == "cloudflare" else NginxSecureLink(secret)
    )


def check_delivery() -> None:
    """Raises SystemExit with a message if DELIVERY does not fit the other settings."""
    is_folder = media_storage().folder is not None
    if settings.delivery == "accel" and not is_folder:
        sys.exit("DELIVERY=accel needs a folder as STORAGE_URL; use presigned or cdn for a bucket.")
    if settings.delivery == "presigned" and is_folder:
        sys.exit("DELIVERY=presigned needs a bucket as STORAGE_URL; use accel or cdn for a folder.")
    if settings.delivery == "cdn":
        if settings.cdn_url is None or not settings.cdn_secret_key:
            sys.exit("DELIVERY=cdn needs CDN_URL and CDN_SECRET_KEY.")
        try:
            cdn_signer()
        except ValueError as error:
            sys.exit(f"CDN_SECRET_KEY is wrong: {error}.")


def delivery_origin() -> str:
    """The origin that sends video bytes, for the content security policy; "" if it is our own."""
    if settings.delivery == "cdn" and settings.cdn_url is not None:
        return _origin(settings.cdn_url)
    if settings.delivery != "presigned":
        return ""
    if endpoint := next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), ""):
        return _origin(endpoint)
    return BUCKET_ORIGINS.get(urlsplit(settings.media_url).scheme, "https://*.amazonaws.com")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
