"""Names of cookies with the prefixes of RFC 6265bis, section 4.1.3."""

import msgspec
import pytest

from videoflix.platform.auth import cookies
from videoflix.platform.auth.cookies import cookie_name, cookie_value
from videoflix.settings import settings


def visit(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    changed = msgspec.structs.replace(settings, site_url=f"{scheme}://films.example")
    monkeypatch.setattr(cookies, "settings", changed)


@pytest.mark.parametrize(
    ("scheme", "path", "expected"),
    [
        ("https", "/", "__Host-access"),
        ("https", "/api/v1/auth", "__Secure-access"),
        ("http", "/", "access"),
        ("http", "/api/v1/auth", "access"),
    ],
)
def test_names(monkeypatch: pytest.MonkeyPatch, scheme: str, path: str, expected: str) -> None:
    visit(monkeypatch, scheme)
    assert cookie_name("access", path) == expected


@pytest.mark.parametrize(
    ("scheme", "names", "expected"),
    [
        ("https", ["access", "__Secure-access", "__Host-access"], "__Host-access"),
        ("https", ["access", "__Secure-access"], "__Secure-access"),
        ("https", ["access"], "access"),
        ("http", ["access", "__Host-access"], "access"),
        ("http", ["__Host-access"], ""),
        ("https", ["other"], ""),
        ("https", [], ""),
    ],
)
def test_the_name_that_is_hardest_to_set_wins(
    monkeypatch: pytest.MonkeyPatch, scheme: str, names: list[str], expected: str
) -> None:
    visit(monkeypatch, scheme)
    assert cookie_value({name: name for name in names}, "access") == expected
