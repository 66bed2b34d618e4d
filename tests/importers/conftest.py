"""Sites of the older backends, built by Django itself."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from importers.older_site.facts import FILM

# More for a trial at full size; everybody signs in: IMPORT_USERS=10000.
USERS = int(os.environ.get("IMPORT_USERS", "20"))
Build = Callable[[str], Path]


@pytest.fixture(scope="session")
def older_site(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build a site; return its folder with dump.json, site.sqlite3 and media/."""

    @cache
    def build(site: str) -> Path:
        folder = tmp_path_factory.mktemp(site)
        build_site(site, folder, USERS)
        film = folder / "media" / FILM
        film.parent.mkdir(parents=True)
        film.write_bytes(b"a film of then")
        return folder

    return build


def build_site(site: str, folder: Path, users: int, database: str | None = None) -> None:
    command = [sys.executable, "-m", "older_site", site, str(folder), str(users)]
    subprocess.run(
        [*command, *([database] if database else [])], cwd=Path(__file__).parent, check=True
    )
