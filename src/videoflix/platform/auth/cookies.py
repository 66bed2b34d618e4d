"""Cookie names with the prefixes `__Host-` and `__Secure-` (RFC 6265bis, 4.1.3).

They prevent cookies injected by sibling subdomains or over plain http. `__Host-` requires https
and the path `/`, `__Secure-` https. On plain http cookies have no prefix.
"""

from collections.abc import Mapping

from videoflix.settings import settings

HOST = "__Host-"
SECURE = "__Secure-"


def is_https() -> bool:
    """Whether SITE_URL is an https URL."""
    return settings.site_url.startswith("https:")


def cookie_name(plain: str, path: str = "/") -> str:
    """Return the prefixed name of a cookie for this path."""
    if not is_https():
        return plain
    return (HOST if path == "/" else SECURE) + plain


def cookie_value(cookies: Mapping[str, str], plain: str) -> str:
    """Return a cookie's value; the plain name is accepted for earlier releases and plain http."""
    prefixes = (HOST, SECURE, "") if is_https() else ("",)
    return next((cookies[name] for prefix in prefixes if (name := prefix + plain) in cookies), "")
