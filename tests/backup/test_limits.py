"""Exports of large tables, on full disks, and by processes that are killed."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backup.processes import ENVIRONMENT, MANY, start
from postgres import open_folder
from queue_helpers import execute, rows
from videoflix.platform.storage.media_storage import Storage, StorageFull, media_storage

# Runs a command and says how much memory it took at most, in KiB.
MEASURED = """
import re, sys
from pathlib import Path
from videoflix.cli import main
main(sys.argv[1:], standalone_mode=False)
print("peak", re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def run(work: Any) -> Any:
    return asyncio.run(work)


def peak_of(*arguments: object) -> float:
    """MiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *(str(part) for part in arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[-1]) / 1024


def test_memory_does_not_grow_with_the_tables(committed: None, tmp_path: Path) -> None:
    peaks = []
    for count in (2_000, 60_000):
        run(execute(MANY.format(count=count)))
        path = tmp_path / f"{count}.zip"
        peaks.append((peak_of("export", "--to", path), peak_of("import", path, "--replace")))
    (small_export, small_import), (large_export, large_import) = peaks
    written = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert written > 2_000_000
    assert large_export < small_export + 25, peaks
    assert large_import < small_import + 25, peaks


def files_of(limit: int) -> Callable[[], None]:
    """No file may grow larger, as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def test_full_disk_leaves_no_half_file(committed: None, tmp_path: Path) -> None:
    run(execute(MANY.format(count=20_000)))
    path = tmp_path / "export.zip"
    path.write_bytes(b"the one of last week")
    process = start("export", "--to", path, limit=files_of(200_000))
    said = process.communicate()[0]
    assert process.returncode == 1
    assert "could not be written: File too large" in said
    assert "Traceback" not in said
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [
        ("export.zip", b"the one of last week")
    ]


def test_full_storage_leaves_no_half_export(committed: None) -> None:
    run(execute(MANY.format(count=20_000)))
    process = start("export", limit=files_of(200_000))
    said = process.communicate()[0]
    assert process.returncode == 1
    assert "not enough space" in said
    assert run(rows("select * from export")) == []
    assert run(media_storage().keys("exports")) == []
    folder = media_storage().folder
    assert folder is not None
    assert not [path for path in (folder / "exports").rglob("*") if path.is_file()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts disks")
def test_full_disk_is_recognised() -> None:
    with open_folder() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("this machine mounts nothing")
        try:
            with pytest.raises(StorageFull):
                run(fill(Storage(folder.as_uri())))
            assert not [path for path in folder.rglob("*") if path.is_file()]
        finally:
            subprocess.run(["umount", str(folder)], check=True)


async def fill(storage: Storage) -> None:
    async with storage.writing("exports/1/archive.zip") as writer:
        for _ in range(20):
            await writer.write(os.urandom(1_000_000))


def test_killed_export_leaves_the_former_file(committed: None, tmp_path: Path) -> None:
    run(execute(MANY.format(count=40_000)))
    path, part = tmp_path / "export.zip", tmp_path / "export.zip.part"
    path.write_bytes(b"the one of last week")
    with start("export", "--to", path) as process:
        until(lambda: part.exists() and part.stat().st_size > 100_000)
        process.send_signal(signal.SIGKILL)
    assert part.exists(), "it was over before it could be killed"
    assert path.read_bytes() == b"the one of last week"
    with start("export", "--to", path) as process:
        said = process.communicate()[0]
    assert process.returncode == 0, said
    assert not part.exists()


def test_killed_export_shows_nothing_in_the_storage(committed: None) -> None:
    storage = media_storage()
    assert storage.folder is not None
    film = storage.folder / "assets" / "large" / "source"
    film.parent.mkdir(parents=True)
    film.write_bytes(os.urandom(2**20) * 100)
    with start("export", "--media") as process:
        until(lambda: list((storage.folder or film).glob("exports/*/archive.zip#*")))
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert run(rows("select * from export")) == []
    assert run(storage.keys("exports")) == []
    for prefix in ("exports", "assets"):
        run(storage.delete_below(prefix))


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.002)
