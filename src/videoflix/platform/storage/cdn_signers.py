"""Signed URLs of CDNs: each signer does what its CDN documents, for a path and an expiry.

No URL depends on the viewer, so that a CDN has one object for all of them.
"""

import base64
import hashlib
import hmac
import json
from typing import Protocol
from urllib.parse import quote, unquote

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_private_key


class CdnSigner(Protocol):
    """Signs URLs; `path` is encoded, `begins` and `expires` are in Unix time."""

    def sign(self, url: str, path: str, begins: int, expires: int) -> str:
        """Return the URL, whose path is `path`, with its signature."""


class NginxSecureLink:
    """Module secure_link: `secure_link_md5 "$secure_link_expires$uri SECRET"`.

    https://nginx.org/en/docs/http/ngx_http_secure_link_module.html
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def sign(self, url: str, path: str, begins: int, expires: int) -> str:
        text = f"{expires}{unquote(path)} {self._secret}".encode()
        digest = hashlib.md5(text, usedforsecurity=False).digest()  # the module knows no other
        return f"{url}?md5={_base64url(digest)}&expires={expires}"


class BunnyToken:
    """Token authentication of bunny.net, HMAC-SHA256 of path and expiry.

    https://github.com/BunnyWay/BunnyCDN.TokenAuthentication
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, url: str, path: str, begins: int, expires: int) -> str:
        digest = hmac.digest(self._secret, f"{path}{expires}".encode(), "sha256")
        return f"{url}?token=HS256-{_base64url(digest)}&expires={expires}"


class CloudFrontPolicy:
    """Canned policy of Amazon CloudFront, signed with RSA and SHA-1.

    Raises ValueError if the key cannot be used.
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html
    """

    def __init__(self, private_key: str, key_id: str) -> None:
        key = load_pem_private_key(private_key.encode(), password=None)
        if not isinstance(key, RSAPrivateKey):
            raise ValueError("expected the PEM of an RSA key")  # noqa: TRY004 - a setting's value
        self._key = key
        self._key_id = key_id

    def sign(self, url: str, path: str, begins: int, expires: int) -> str:
        condition = {"DateLessThan": {"AWS:EpochTime": expires}}
        policy = {"Statement": [{"Resource": url, "Condition": condition}]}
        text = json.dumps(policy, separators=(",", ":")).encode()
        signature = base64.b64encode(self._key.sign(text, PKCS1v15(), SHA1()))  # noqa: S303 - theirs
        encoded = signature.translate(bytes.maketrans(b"+=/", b"-_~")).decode()
        return f"{url}?Expires={expires}&Signature={encoded}&Key-Pair-Id={self._key_id}"


class CloudflareToken:
    """Timed HMAC of Cloudflare's rules language, `is_timed_hmac_valid_v0()`.

    The rule sets the lifetime: at least twice DELIVERY_URL_SECONDS.
    https://developers.cloudflare.com/waf/custom-rules/use-cases/configure-token-authentication/
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, url: str, path: str, begins: int, expires: int) -> str:
        digest = hmac.digest(self._secret, f"{path}{begins}".encode(), "sha256")
        return f"{url}?verify={begins}-{quote(base64.b64encode(digest), safe='')}"


def _base64url(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
