"""A machine, a disk or a service fails while films are encoded: every uploaded file is there
afterwards, and every film is ready once the fault is gone.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from media.worker_processes import WorkerSite, new_database
from postgres import open_folder
from videoflix.settings import settings

MiB = 1 << 20


@contextmanager
def new_site() -> Iterator[WorkerSite]:
    with open_folder() as home, open_folder() as tools:
        site = WorkerSite(new_database(settings.database_dsn), home, tools)
        try:
            yield site
        finally:
            site.stop()


@pytest.fixture
def site(database: None) -> Iterator[WorkerSite]:
    """Without workers."""
    with new_site() as site:
        yield site


@pytest.fixture(scope="module")
def one_site(database: None) -> Iterator[WorkerSite]:
    with new_site() as site:
        site.start()
        yield site


@pytest.fixture
def working(one_site: WorkerSite) -> WorkerSite:
    """With a worker that encodes; all tests that break what is around it share one process."""
    one_site.forget()
    return one_site


def test_wrong_preset(site: WorkerSite) -> None:
    """The worker says so, and ends: the film waits for another one, and says that too."""
    site.upload(1)
    site.start("default")
    assert site.start(X264_PRESET="veryfsat").wait(timeout=60)
    assert "No encoding worker is running" in site.until_stalled("no-worker")
    site.assert_sources_are_there()
    site.start("transcode")
    site.until_ready()
    site.assert_sources_are_there()
    site.assert_no_attempt_was_spent()


def test_one_of_two_workers_has_no_ffmpeg(site: WorkerSite) -> None:
    site.start(FFMPEG_PATH="/nonexistent/ffmpeg")
    site.upload(2)
    assert "/nonexistent/ffmpeg cannot be run" in site.until_stalled("no-worker")
    site.start()
    site.until_ready()
    site.assert_sources_are_there()
    site.assert_no_attempt_was_spent()


@pytest.mark.parametrize("fault", ["killed", "broken"])
def test_child_is_killed_or_broken(working: WorkerSite, fault: str) -> None:
    """As by the kernel that has no memory left, or by an ffmpeg that encodes nothing."""
    working.ffmpeg_fault.write_text(f"{fault}\n")
    try:
        working.upload(1)
        working.until_stalled(f"encoder-{fault}")
    finally:
        working.ffmpeg_fault.unlink()
    working.until_ready()
    working.assert_sources_are_there()
    working.assert_no_attempt_was_spent()


def test_storage_is_away(working: WorkerSite) -> None:
    folders = working.store(1)
    away = working.media.rename(working.home / "unmounted")
    try:
        working.enter(folders)
        working.until_stalled("storage-unavailable")
    finally:
        away.rename(working.media)
    working.until_ready()
    working.assert_sources_are_there()
    working.assert_no_attempt_was_spent()


def test_storage_forgot_half_of_the_file(working: WorkerSite) -> None:
    """As after a copy that was cut: no fault of the film's, so it is not refused."""
    [folder] = working.store(1)
    key, whole = f"{folder}/source", working.clip
    working.write(key, whole[: len(whole) // 2])
    working.enter([folder])
    working.until_stalled("source-unavailable")
    working.write(key, bytes(len(whole)))  # as long, and rubbish
    tries = "select max(attempt) from job_incident where kind = 'transient'"
    [(before,)] = working.ask(tries)
    working.until(lambda: working.ask(tries)[0][0] >= before + 2)
    assert working.assets() == [("stalled", "source-unavailable", None)]
    (working.media / key).unlink()
    [(before,)] = working.ask(tries)
    working.until(lambda: working.ask(tries)[0][0] >= before + 2)
    assert working.assets() == [("stalled", "source-unavailable", None)]
    working.write(key, whole)
    working.until_ready()
    working.assert_no_attempt_was_spent()


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Something else in place of a folder."""
    if subprocess.run(["mount", *options, str(folder)], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as opened, suppress(OSError):
        while opened.write(bytes(MiB)):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
@pytest.mark.parametrize("what", ["storage", "scratch"])
def test_disk_is_full(working: WorkerSite, what: str) -> None:
    folder = working.home / "scratch" if what == "scratch" else working.media
    folders = working.store(1)
    kept = shutil.copytree(folder, working.home / f"{what} before")
    # A worker asks for 256 MiB of scratch space.
    size = 8 * MiB if what == "storage" else 300 * MiB
    with mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        fill(folder / "filler")
        working.enter(folders)
        working.until_stalled(
            "storage-full", "scratch-full", "disk-full", "encoder-broken", "no-worker"
        )
        (folder / "filler").unlink()
        working.until_ready()
        working.assert_sources_are_there()
        working.assert_no_attempt_was_spent()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_storage_is_read_only(working: WorkerSite) -> None:
    folders, folder = working.store(1), str(working.media)
    with mounted(working.media, "--bind", folder):
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        working.enter(folders)
        # Or the worker has tested itself, found the same, and stopped fetching.
        working.until_stalled("storage-unavailable", "machine-fault", "no-worker")
        subprocess.run(["mount", "-o", "remount,bind,rw", folder], check=True)
        working.until_ready()
        working.assert_sources_are_there()
        working.assert_no_attempt_was_spent()


def test_database_is_away(working: WorkerSite) -> None:
    """Nobody may connect, and whoever was is cut off, again and again while films are encoded."""
    working.upload(2)
    name = urlsplit(working.dsn).path.removeprefix("/")
    working.until(lambda: "encoding" in {state for state, _, _ in working.assets()})
    with psycopg.connect(settings.database_dsn, autocommit=True) as server:
        server.execute(f"alter database {name} allow_connections false".encode())
        for _ in range(10):
            server.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = %s and backend_type = 'client backend'",
                [name],
            )
            time.sleep(0.3)
        server.execute(f"alter database {name} allow_connections true".encode())
    working.until_ready()
    working.assert_sources_are_there()


def test_cancelled_and_deleted_jobs_are_queued_again(working: WorkerSite) -> None:
    """Whoever cancelled them died before the films were told."""
    working.enter(working.store(2), status="cancelled")
    working.ask("delete from procrastinate_jobs where args ->> 'asset_id' ="
                " (select max(id)::text from media_asset)")  # fmt: skip
    working.reconcile()
    working.until_ready()
    assert working.ask("select count(*) from job_incident where kind = 'requeued'") == [(2,)]
