"""docs/dialects.md tells the truth, and nothing is left out."""

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from dialect_docs import PAGE, page, paths
from videoflix.compat.dialect import CANONICAL, NONE
from videoflix.compat.drf.errors import method_not_allowed
from videoflix.compat.registry import DIALECTS, dialect_routes


def test_every_path_is_documented() -> None:
    assert PAGE.read_text() == page(), "run `uv run python scripts/dialect_docs.py`"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_path_names_an_operation_of_ours(app: Litestar, dialect: str) -> None:
    ours = {
        f"{method.upper()} {path}"
        for path, operations in app.openapi_schema.to_schema()["paths"].items()
        for method in operations
    }
    assert {row.canonical for row in paths(dialect)} - ours <= {NONE}


def test_every_handler_says_what_it_stands_for() -> None:
    """One that does not would be missing in the document."""
    handlers = [
        handler
        for router in dialect_routes(list(DIALECTS))
        for route in router.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.fn is not method_not_allowed and "OPTIONS" not in handler.http_methods
    ]
    assert len(handlers) > 40
    assert [str(handler) for handler in handlers if CANONICAL not in handler.opt] == []
