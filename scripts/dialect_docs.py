"""Writes every path of every dialect into docs/dialects.md, from the routes themselves.

    uv run python scripts/dialect_docs.py

What stands between the two marks is replaced; the rest stays.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from litestar.routes import HTTPRoute

from videoflix.compat.dialect import CANONICAL
from videoflix.compat.registry import DIALECTS, dialect_routes

PAGE = Path(__file__).parents[1] / "docs" / "dialects.md"
BETWEEN = re.compile(r"(?<=<!-- paths -->\n).*?(?=<!-- end -->)", re.S)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Row(NamedTuple):
    """A path as an older client calls it, and the operation of ours behind it."""

    method: str
    path: str
    canonical: str


def paths(dialect: str) -> list[Row]:
    """Every path of a dialect, in the order of the alphabet."""
    return sorted(_paths(dialect), key=lambda one: (one.path, METHODS.index(one.method)))


def _paths(dialect: str) -> Iterator[Row]:
    for router in dialect_routes([dialect]):
        for route in router.routes:
            if not isinstance(route, HTTPRoute):
                continue
            path = re.sub(r":\w+}", "}", route.path)
            for handler in route.route_handlers:
                if CANONICAL in handler.opt:
                    for method in handler.http_methods:
                        yield Row(str(method), path, handler.opt[CANONICAL])


def tables() -> str:
    """The paths of all dialects, a table each."""
    parts = []
    for name in DIALECTS:
        rows = [f"| `{one.method} {one.path}` | {_shown(one.canonical)} |" for one in paths(name)]
        if rows:
            parts.append("\n".join([f"### `{name}`", "", "| path | ours |", "|---|---|", *rows]))
    return "\n" + "\n\n".join(parts) + "\n\n"


def _shown(canonical: str) -> str:
    return f"`{canonical}`" if "/" in canonical else canonical


def page() -> str:
    """The document as it should be."""
    text, count = BETWEEN.subn(lambda _: tables(), PAGE.read_text())
    if count != 1:
        raise ValueError("docs/dialects.md has lost its marks")
    return text


if __name__ == "__main__":
    PAGE.write_text(page())
