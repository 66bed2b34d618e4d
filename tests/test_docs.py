"""The documents tell the truth."""

import re
import tomllib
from pathlib import Path

from litestar import Litestar

from settings_docs import pages
from videoflix.settings import Settings

ROOT = Path(__file__).parents[1]
TRACKED = [
    path
    for folder in ("src", "tests", "docs", "migrations", "benchmarks", "scripts", ".ci")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and path.suffix in {".py", ".md", ".toml", ".yaml", ""}
] + [path for path in ROOT.glob("*") if path.is_file() and path.name != "uv.lock"]


def variables() -> list[str]:
    return [name.upper() for name in Settings.__struct_fields__]


def test_every_setting_is_documented() -> None:
    for page, text in pages().items():
        assert page.read_text() == text, "run `uv run python scripts/settings_docs.py`"


def test_nothing_undocumented_is_promised() -> None:
    template = (ROOT / ".env.template").read_text()
    named = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", template, re.M))
    compose = {"PORT", "TLS_PORT", "SITE_ADDRESS"}
    storage = {name for name in named if name.startswith("AWS_")}
    assert named - compose - storage == set(variables())


def test_readme_starts_with_the_two_commands() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:40])
    assert "pip install -q uv && uv run videoflix up" in first_screen
    assert "pip install -q uv && uv run pytest" in first_screen


def test_relative_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_version_is_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_operation_is_described(app: Litestar) -> None:
    schema = app.openapi_schema.to_schema()
    assert len(schema["paths"]) > 10
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), f"{method} {path} needs a docstring"
            assert operation.get("tags"), f"{method} {path} needs a tag"
