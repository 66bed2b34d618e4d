"""Names of cookies: with a prefix that only this site, over TLS, can set (RFC 6265bis, 4.1.3).

A sibling subdomain, or anybody on the way of an unencrypted request, may set cookies for us; one
whose name begins with `__Host-` browsers take from nobody else. It takes https and the path `/`;
`__Secure-` takes https. On plain http names stay plain.
"""

from collections.abc import Mapping

from videoflix.settings import settings

HOST = "__Host-"
SECURE = "__Secure-"


def is_https() -> bool:
    """Whether visitors come by TLS, as SITE_URL says."""
    return settings.site_url.startswith("https:")


def cookie_name(plain: str, path: str = "/") -> str:
    """What a cookie is called that we set for this path."""
    if not is_https():
        return plain
    return (HOST if path == "/" else SECURE) + plain


def cookie_value(cookies: Mapping[str, str], plain: str) -> str:
    """A cookie's value; the plain name is that of earlier releases, and of plain http."""
    prefixes = (HOST, SECURE, "") if is_https() else ("",)
    return next((cookies[name] for prefix in prefixes if (name := prefix + plain) in cookies), "")
