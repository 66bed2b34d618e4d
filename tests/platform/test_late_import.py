"""Imports at first use."""

import re
from pathlib import Path

import pytest

import videoflix
from videoflix.cli import LITESTAR_GROUP
from videoflix.platform.late_import import late

SOURCES = [path.read_text() for path in Path(videoflix.__path__[0]).rglob("*.py")]
LATE = re.findall(r'\blate\(\s*"(\S+)"', "".join(SOURCES))


@pytest.mark.parametrize("target", [LITESTAR_GROUP, *LATE])
def test_what_is_imported_late_exists(target: str) -> None:
    assert callable(late(target))
