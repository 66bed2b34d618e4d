"""The commands of docs/api.md work as they stand there, one after the other."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from journeys.conftest import Site
from media.clips import make_clip

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"

pytestmark = pytest.mark.journey


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guide speaks curl")
def test_guide_works_as_written(site: Site, tmp_path: Path) -> None:
    make_clip(tmp_path / "film.mp4", seconds=3, size="320x180")
    blocks = re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env=os.environ | {"SITE": site.url, "EMAIL": site.email, "PASSWORD": site.password},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    lines = run.stdout.splitlines()
    assert lines[0] == site.email
    assert "/problems/video-not-found" in lines
    assert "ready" in lines
    assert any(line.startswith("#EXT-X-STREAM-INF") for line in lines)
