"""The documents tell the truth."""

import configparser
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from litestar import Litestar

from settings_docs import pages
from videoflix.settings import Settings
from videoflix.worker import ROLES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "videoflix"
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
    programs = {"LITESTAR_APP", "PROCRASTINATE_APP"}  # read by these programs, not by us
    assert named - compose - storage - programs == set(variables())


def test_readme_starts_with_the_two_commands() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:40])
    assert "pip install -q uv && uv run videoflix up" in first_screen
    assert "pip install -q uv && uv run pytest" in first_screen


def test_relative_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def pages_of(navigation: Any) -> Iterator[str]:
    """The pages that a navigation of MkDocs names, at any depth."""
    if isinstance(navigation, str):
        yield navigation
    else:
        entries = navigation.values() if isinstance(navigation, dict) else navigation
        yield from chain.from_iterable(pages_of(entry) for entry in entries)


def test_site_navigation_names_every_page() -> None:
    """`make docs` also builds the module reference and reports broken links, but takes longer."""
    docs = ROOT / "docs"
    configuration = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    root_pages: dict[str, str] = configuration["extra"]["root_pages"]
    written = {str(page.relative_to(docs)) for page in docs.rglob("*.md")}
    assert sorted(pages_of(configuration["nav"])) == sorted(written | {*root_pages.values()})
    assert {*root_pages} == {path.name for path in ROOT.glob("*.md")} | {"LICENSE"}


def test_decisions_are_listed_by_their_titles() -> None:
    """In the order of their numbers, in the overview and in the site's navigation."""
    folder = ROOT / "docs" / "decisions"
    records = sorted(folder.glob("[0-9]*.md"))
    titles = [page.read_text().splitlines()[0].removeprefix("# ") for page in records]
    overview = re.findall(r"^- \[(.+)\]\((.+)\)$", (folder / "README.md").read_text(), re.M)
    assert overview == [*zip(titles, [page.name for page in records], strict=True)]
    configuration = (ROOT / "mkdocs.yml").read_text()
    navigation = re.findall(r'^ +- "(\d.+)": decisions/(.+)$', configuration, re.M)
    assert navigation == overview


def test_files_that_are_named_exist() -> None:
    """Named from the repository's root, or from the package; secrets/ is created by a script."""
    path = re.compile(
        r"`((?!secrets/)(?:[\w.-]+/)+[\w-]+\.(?:css|html|js|json|md|py|sh|toml))(?:::\w+)?`"
    )
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for name in path.findall(page.read_text()):
            places = (ROOT / name, PACKAGE / name)
            assert any(place.exists() for place in places), f"{page.name} names {name}"


def architecture(heading: str) -> list[list[list[str]]]:
    """The table below a heading of the page on architecture: the names in each cell."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `\w+` .*", section, re.M)
    return [[re.findall(r"`(\w+)`", cell) for cell in row.split("|")[1:]] for row in rows]


def test_architecture_names_every_package() -> None:
    for heading, folder in (
        ("Where to find things", PACKAGE),
        ("Platform", PACKAGE / "platform"),
        ("Job lifecycle", PACKAGE / "platform" / "queue"),
    ):
        named = {name for row in architecture(heading) for name in row[0]}
        packages = {path.parent.name for path in folder.glob("*/__init__.py")}
        modules = {path.stem for path in folder.glob("*.py")}
        assert packages - named <= {"cli", "compat", "platform", "up", "web"}
        assert named <= packages | modules


def test_architecture_names_engines_that_exist() -> None:
    for domain, *_, engines, _ in architecture("Where to find things"):
        there = {path.stem for path in (PACKAGE / domain[0]).iterdir()}
        assert {*engines} <= there, domain


def units() -> list[configparser.SectionProxy]:
    """The services of the installation page, as systemd would read them."""
    found = []
    for block in re.findall(
        r"```ini\n(.*?)```", (ROOT / "docs" / "install.md").read_text(), re.DOTALL
    ):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(block)
        found.append(parser["Service"])
    return found


def test_units_start_the_api_as_the_container_does() -> None:
    containerfile = (ROOT / "Containerfile").read_text()
    image = json.loads(re.findall(r"^CMD (\[.*\])$", containerfile, re.MULTILINE)[0])
    unit = units()[0]["ExecStart"].split()
    where = {"--host", "0.0.0.0", "127.0.0.1", "--port", "8000", "%i"}
    assert Path(unit[0]).name == image[0]
    assert {*unit[1:]} - where == {*image[1:]} - where
    assert float(units()[0]["TimeoutStopSec"]) > float(image[-1])


@pytest.mark.parametrize("role", ROLES)
def test_units_start_workers_by_their_role(role: str) -> None:
    """systemd reads `%%` as `%` and `$$` as `$`; the shell cuts the number off."""
    unit = units()[1]
    command = unit["ExecStart"].replace("%%", "%").replace("$$", "$")
    script = shlex.split(command)[2].replace("exec /opt/videoflix/bin/videoflix", "echo")
    said = subprocess.check_output(["sh", "-c", script], env={"INSTANCE": f"{role}-1"}, text=True)
    assert said.split() == ["worker", "--role", role]
    assert float(unit["TimeoutStopSec"]) >= Settings().worker_grace_seconds + 5


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
