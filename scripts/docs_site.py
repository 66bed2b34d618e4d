"""Hooks of MkDocs (mkdocs.yml): pages that are not stored below docs/.

- The README, CONTRIBUTING, CHANGELOG and LICENSE of the repository become pages of the site.
- Each Python package gets a page with the docstrings and signatures of its modules, so that the
  reference follows the code without a list of modules that somebody has to maintain.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "videoflix"
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")


def packages() -> list[Path]:
    """Every package with modules of its own, in the order of their names."""
    folders = sorted(init.parent for init in PACKAGE.rglob("__init__.py"))
    return [folder for folder in folders if list(modules(folder))]


def modules(package: Path) -> Iterator[str]:
    """The dotted names of the modules that lie directly in a package."""
    for path in sorted(package.glob("*.py")):
        if path.stem != "__init__":
            yield ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def page_of(package: Path) -> str:
    return f"reference/{'.'.join(package.relative_to(SOURCE).parts)}.md"


def text_of(package: Path) -> str:
    """The reference of a package: a directive of mkdocstrings for each module."""
    title = ".".join(package.relative_to(SOURCE).parts)
    directives = "".join(f"::: {module}\n\n" for module in modules(package))
    return f"# {title}\n\n{directives}"


def reference() -> list[dict[str, Any]]:
    """The navigation of the reference: packages, grouped by the first name below videoflix."""
    groups: dict[str, list[dict[str, str]]] = {}
    for package in packages():
        names = package.relative_to(SOURCE).parts
        group = names[1] if len(names) > 1 else names[0]
        groups.setdefault(group, []).append({".".join(names[1:]) or group: page_of(package)})
    return [pages[0] if len(pages) == 1 else {name: pages} for name, pages in groups.items()]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the reference to the navigation."""
    config.nav = [*(config.nav or []), {"Module reference": reference()}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository's root and of the reference."""
    for source, page in config.extra["root_pages"].items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    for package in packages():
        files.append(File.generated(config, page_of(package), content=text_of(package)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links, which are relative to the repository, to where their targets are here."""
    address = page.file.src_uri
    root_pages: dict[str, str] = config.extra["root_pages"]
    sources = {target: source for source, target in root_pages.items()}
    base = posixpath.dirname(sources.get(address, f"docs/{address}"))

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(base, match[1]))
        place = root_pages.get(target, target.removeprefix("docs/"))
        return posixpath.relpath(place, posixpath.dirname(address) or ".")

    return markdown if address.startswith("reference/") else LINK.sub(moved, markdown)
