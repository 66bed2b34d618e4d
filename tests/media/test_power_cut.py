"""Whatever was acknowledged is there after a power cut: its bytes, and every name on the way."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

import power_cut
from postgres import open_folder

PROGRAM = Path(__file__).with_name("store_upload.py")
STORED = re.compile(r"stored ([\w./-]+)")
COMMIT = re.compile(r"COMMIT", re.IGNORECASE)

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed: apt-get install strace"
)


def lost(root: Path, log: Path) -> tuple[list[str], list[str]]:
    """What a power cut at the moment of each acknowledgement would lose, and what was stored."""
    disk, missing, stored = power_cut.Disk(root), [], []
    at_commit: bool | None = None
    source = ""
    for call, arguments, result in power_cut.calls(log):
        if call == "rename" and not source and "/source#" in arguments:
            source = power_cut.QUOTED.findall(arguments)[1].removeprefix(f"{root}/")
        if call in {"sendto", "sendmsg", "write"} and source and COMMIT.search(arguments):
            at_commit = disk.survives(source) if at_commit is None else at_commit
        if call == "write" and (found := STORED.search(arguments)):
            stored.append(found[1])
            if not disk.survives(found[1]):
                missing.append(found[1])
        disk.replay(call, arguments, result)
    assert at_commit is not None, "the commit was not seen"
    if not at_commit:
        missing.append("the source, when its row was committed")
    return missing, stored


EXPECTED = [
    "assets/*/source",
    "assets/*/1/720p.mp4",
    "assets/*/1/480p.mp4",
    "assets/*/2/poster.jpg",
    "exports/1/archive.zip",
]


def stored_under_strace(log: Path, *, fsync: bool) -> tuple[list[str], list[str]]:
    """What would be lost, and what was stored; folders of assets have random names."""
    with open_folder() as root:
        environment = os.environ | {
            "STORAGE_URL": root.as_uri(),
            "STORAGE_FSYNC": str(fsync).lower(),
        }
        power_cut.traced([sys.executable, str(PROGRAM)], log, environment)
        missing, stored = lost(root, log)
    return [any_asset(key) for key in missing], [any_asset(key) for key in stored]


def any_asset(key: str) -> str:
    return re.sub(r"assets/\w+", "assets/*", key)


@needs_strace
@pytest.mark.usefixtures("committed")
def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    assert stored_under_strace(tmp_path / "log", fsync=True) == ([], EXPECTED)


@needs_strace
@pytest.mark.usefixtures("committed")
def test_without_fsync_it_would_be(tmp_path: Path) -> None:
    """The replay notices; STORAGE_FSYNC=false does what its sentence says."""
    missing, stored = stored_under_strace(tmp_path / "log", fsync=False)
    assert missing == [*EXPECTED, "the source, when its row was committed"]
    assert stored == EXPECTED
