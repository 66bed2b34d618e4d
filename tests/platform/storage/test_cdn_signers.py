"""Signed URLs of CDNs, compared with examples of their documentation and with their own code."""

from datetime import UTC, datetime

from botocore.signers import CloudFrontSigner  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from videoflix.platform.storage.cdn_signers import (
    BunnyToken,
    CloudflareToken,
    CloudFrontPolicy,
    NginxSecureLink,
)


def test_nginx() -> None:
    """The example of the module's documentation, whose expression also has the client's address."""
    path, expires = "/s/link127.0.0.1", 2147483647
    url = NginxSecureLink("secret").sign(f"https://cdn{path}", path, 0, expires)
    assert url == f"https://cdn{path}?md5=_e4Nc3iduzkWRm01TBBNYw&expires=2147483647"


def test_nginx_signs_the_decoded_path() -> None:
    signer = NginxSecureLink("secret")
    encoded = signer.sign("u", "/a%20b", 0, 1)
    assert encoded == signer.sign("u", "/a b", 0, 1)


def test_bunny() -> None:
    """The vector `plain` of BunnyCDN.TokenAuthentication."""
    url = "https://token-tester.b-cdn.net/300kb.jpg"
    signed = BunnyToken("SecurityKey").sign(url, "/300kb.jpg", 0, 1598024587)
    token = "HS256-o10JRWlsAItyAsdKS6jJKjabHN4FrFsplDHPV1idcX4"
    assert signed == f"{url}?token={token}&expires=1598024587"


def test_cloudflare() -> None:
    """The path, secret and time of Cloudflare's documentation."""
    url = "https://downloads.example.com/images/cat.jpg"
    signed = CloudflareToken("mysecrettoken").sign(url, "/images/cat.jpg", 1484063787, 0)
    mac = "XsZ5NmtNBxOd4f4fBOtqVmpWRnDRNkHKVZieqDPKu3U%3D"
    assert signed == f"{url}?verify=1484063787-{mac}"


def test_cloudfront() -> None:
    """Amazon's own signer makes the same URL."""
    key = generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    theirs = CloudFrontSigner("K2JCJMDEHXQW5F", lambda text: key.sign(text, PKCS1v15(), SHA1()))
    url, until = "https://d111111abcdef8.cloudfront.net/assets/a/b.mp4", 1357034400
    expected = theirs.generate_presigned_url(url, datetime.fromtimestamp(until, UTC))
    assert CloudFrontPolicy(pem, "K2JCJMDEHXQW5F").sign(url, "/x", 0, until) == expected
