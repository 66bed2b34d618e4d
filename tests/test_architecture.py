"""Import directions and other rules of the code, as tests."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "videoflix"

# A room may import itself and what is listed for it; compositions may import everything.
MAY_IMPORT: dict[str, set[str]] = {
    "setting_types": set(),
    "storage_settings": {"setting_types"},
    "settings": {"setting_types", "storage_settings"},
    "platform": {"settings", "setting_types"},
    "audit": {"platform", "settings"},
    "accounts": {"audit", "platform", "settings"},
    "sessions": {"accounts", "audit", "platform", "settings"},
    "job_monitor": {"audit", "platform", "settings"},
    "registration": {"sessions", "accounts", "audit", "platform", "settings"},
    "user_admin": {"registration", "sessions", "accounts", "audit", "platform", "settings"},
    "memberships": {"accounts", "platform", "settings"},
    "billing": {"memberships", "accounts", "platform", "settings"},
    "profiles": {"memberships", "accounts", "platform", "settings"},
    "catalog": {"profiles", "accounts", "platform", "settings"},
    "library": {"catalog", "profiles", "accounts", "platform", "settings"},
    "series": {"library", "catalog", "profiles", "accounts", "platform", "settings"},
    "media": {"audit", "catalog", "profiles", "accounts", "platform", "settings"},
    "uploads": {"media", "catalog", "accounts", "audit", "platform", "settings"},
    "playback": {
        "media",
        "billing",
        "catalog",
        "profiles",
        "memberships",
        "sessions",
        "accounts",
        "platform",
        "settings",
    },
    "movies": {"catalog", "profiles", "accounts", "platform", "settings"},
    "metrics": {"playback", "platform", "settings"},
    "operations": {
        "job_monitor",
        "playback",
        "movies",
        "library",
        "billing",
        "memberships",
        "media",
        "catalog",
        "profiles",
        "sessions",
        "accounts",
        "audit",
        "platform",
        "settings",
        "setting_types",
    },
    "backup": {
        "sessions",
        "media",
        "catalog",
        "audit",
        "platform",
        "settings",
    },
    "importers": {
        "movies",
        "library",
        "media",
        "catalog",
        "profiles",
        "billing",
        "memberships",
        "accounts",
        "platform",
        "settings",
    },
    "webhooks": {"accounts", "platform", "settings", "setting_types"},
    "web": {"platform", "settings"},
    # Translates for older clients: knows what the domains offer, and only `app` knows it.
    "compat": {
        "operations",
        "movies",
        "playback",
        "library",
        "media",
        "catalog",
        "profiles",
        "billing",
        "memberships",
        "user_admin",
        "registration",
        "sessions",
        "accounts",
        "audit",
        "platform",
        "settings",
    },
    "up": {"*"},
    "worker": {"*"},
    "cli": {"*"},
    "app": {"*"},
}
COMPOSITIONS = {"up", "worker", "cli", "app"}
# Inside a domain a file may import files further left. Other names are engines: leaves.
COLUMNS = ["models", "schemas", "repository", "service", "jobs", "api"]
DOMAINS = (
    set(MAY_IMPORT)
    - COMPOSITIONS
    - {"setting_types", "storage_settings", "settings", "platform", "web", "compat"}
)
# What a room may use of other domains; a dialect is another face of the same routes.
OFFERED = {"models", "payloads", "problems", "schemas", "service"}


def modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py")


def imports() -> Iterator[tuple[str, str]]:
    """Every (importing module, imported module), both relative to the package."""
    for path in modules():
        here = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            if node.module.split(".")[0] != "videoflix":
                continue
            for name in node.names:
                module = f"{node.module}.{name.name}"
                is_file = (ROOT.parent / module.replace(".", "/")).with_suffix(".py").exists()
                yield here, (module if is_file else node.module).removeprefix("videoflix.")


EDGES = sorted(set(imports()))


def test_there_is_something_to_check() -> None:
    assert len(EDGES) > 50


@pytest.mark.parametrize(("here", "there"), EDGES, ids=str)
def test_imports_point_inwards(here: str, there: str) -> None:
    room, *file = here.split(".")
    other, *part = there.split(".")
    if room != other:
        assert MAY_IMPORT[room] & {"*", other}, f"{room} may not know {other}"
        if other in DOMAINS and room not in COMPOSITIONS:
            offered = OFFERED | {"api"} if room == "compat" else OFFERED
            assert part[0] in offered, "ask the other domain's service"
    elif room in DOMAINS:
        column, imported = file[0], part[0]
        if column in COLUMNS and imported in COLUMNS and column != imported:
            assert COLUMNS.index(imported) < COLUMNS.index(column), "import only to the left"
        elif column not in COLUMNS:
            assert imported not in set(COLUMNS) - {"models", "schemas"}, "an engine is a leaf"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_readable(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 350, "split the file by meaning"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"
            for inner in ast.walk(node):
                assert not isinstance(inner, ast.Import | ast.ImportFrom), (
                    f"{node.name} imports inside a function"
                )


def test_only_the_application_knows_the_dialects() -> None:
    knowing = {here for here, there in EDGES if there.split(".")[0] == "compat"}
    assert {name for name in knowing if not name.startswith("compat.")} <= {"app"}


def column_of(path: Path) -> str:
    """`service` for catalog/service.py and for each file of catalog/service/."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if len(parts) > 1 and parts[0] != "platform" else ""


def sources(*columns: str) -> list[Path]:
    """The files of these columns in every room, `__init__.py` too: a column may be a package."""
    return [path for path in sorted(ROOT.rglob("*.py")) if column_of(path) in columns]


@pytest.mark.parametrize("column", COLUMNS)
def test_columns_are_found_in_packages_too(column: str) -> None:
    domains = {path.relative_to(ROOT).parts[0] for path in sources(column)}
    assert len(domains & DOMAINS) > 5
    split = {path.parent for path in sources(column) if path.parent.name == column}
    assert split or column in {"models", "schemas"}


def test_only_repositories_speak_sql() -> None:
    for path in sources("service", "api", "jobs", "schemas"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
                allowed = {"AsyncSession", "SQLAlchemyError"}
                assert {name.name for name in node.names} <= allowed, f"{path}: use repository.py"


def test_nothing_commits_but_the_edge() -> None:
    for path in modules():
        if path.parts[-2:] != ("postgres", "session.py"):
            assert ".commit()" not in path.read_text(), path


def imports_of(text: str) -> set[str]:
    """The top-level packages a module imports."""
    nodes = list(ast.walk(ast.parse(text)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_jobs_are_enqueued_only_with_their_row() -> None:
    for path in modules():
        text = path.read_text()
        assert ".defer_async(" not in text, path
        assert ".defer(" not in text, path
        configures = {"logs.py", "picture_child.py"}  # structlog and filter graphs, not jobs
        assert ".configure(" not in text or path.name in configures, path
        inside = "queue" in path.parts or path.name == "worker.py"
        assert inside or "procrastinate" not in imports_of(text), f"{path}: use platform.queue"


def test_no_shortcuts() -> None:
    for path in modules():
        text = path.read_text()
        for phrase in ("from __future__", "TYPE_CHECKING", "import *", "TODO", "FIXME"):
            assert phrase not in text, f"{path}: {phrase}"
        for ignore in re.findall(r"#\s*(?:noqa|type: ignore)[^\n]*", text):
            assert re.search(r" - \w", ignore), f"{path}: say why: {ignore}"
