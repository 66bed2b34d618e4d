"""A machine, a disk or a service fails while films are encoded: every uploaded file is there
afterwards, and every film is ready once the fault is gone.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from media.worker_site import WorkerSite, new_database
from postgres import open_folder
from videoflix.media.ffmpeg import find_ffmpeg
from videoflix.settings import settings

# Ends by a signal while a switch is there, and is ffmpeg otherwise.
KILLED = """#!/bin/sh
case "$*" in *lavfi*|*-encoders*|*-filters*) exec {ffmpeg} "$@";; esac
if [ -e {switch} ]; then kill -KILL $$; fi
exec {ffmpeg} "$@"
"""
BROKEN = """#!/bin/sh
case "$*" in *-encoders*|*-filters*) exec {ffmpeg} "$@";; esac
if [ -e {switch} ]; then echo "Error while opening encoder" >&2; exit 1; fi
exec {ffmpeg} "$@"
"""


@pytest.fixture
def site(database: None) -> Iterator[WorkerSite]:
    with open_folder() as home:
        site = WorkerSite(new_database(settings.database_dsn), home)
        try:
            yield site
        finally:
            site.stop()


def script(site: WorkerSite, text: str) -> tuple[Path, Path]:
    """An ffmpeg with a fault, and the file that switches the fault on."""
    switch, program = site.home / "switch", site.home / "ffmpeg.sh"
    program.write_text(text.format(ffmpeg=find_ffmpeg(), switch=switch))
    program.chmod(0o755)
    switch.touch()
    return program, switch


def test_wrong_preset(site: WorkerSite) -> None:
    site.upload(1)
    assert site.start(X264_PRESET="veryfsat").wait(timeout=60), "it says so, and ends"
    assert site.assets() == [("uploaded", None, None)]
    site.assert_sources_are_there()
    site.start()
    site.until_ready()
    site.assert_sources_are_there()


def test_one_of_two_workers_has_no_ffmpeg(site: WorkerSite) -> None:
    site.start(FFMPEG_PATH="/nonexistent/ffmpeg")
    site.upload(2)
    site.until_stalled("ffmpeg-missing")
    site.start()
    site.until_ready()
    site.assert_sources_are_there()
    site.assert_no_attempt_was_spent()


@pytest.mark.parametrize(
    ("text", "code"), [(KILLED, "encoder-killed"), (BROKEN, "encoder-broken")], ids=["oom", "exit"]
)
def test_child_is_killed_or_broken(site: WorkerSite, text: str, code: str) -> None:
    program, switch = script(site, text)
    site.upload(1)
    site.start(FFMPEG_PATH=str(program), SANDBOX="off")  # which would hide the switch
    site.until_stalled(code)
    switch.unlink()
    site.until_ready()
    site.assert_sources_are_there()
    site.assert_no_attempt_was_spent()


def test_storage_is_away(site: WorkerSite) -> None:
    site.upload(1)
    away = site.media.rename(site.home / "unmounted")
    site.start()
    site.until_stalled("storage-unavailable", "source-unavailable")
    time.sleep(3)
    away.rename(site.media)
    site.until_ready()
    site.assert_sources_are_there()
    site.assert_no_attempt_was_spent()


def test_storage_forgot_half_of_the_file(site: WorkerSite) -> None:
    """As after a copy that was cut: no fault of the film's, so it is not refused."""
    site.upload(1)
    [(key,)] = site.ask("select source_key from media_asset")
    source = site.media / key
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    site.start()
    site.until_stalled("source-unavailable")
    source.write_bytes(bytes(len(whole)))  # as long, and rubbish
    time.sleep(2)
    assert {state for state, _, _ in site.assets()} == {"stalled"}
    source.write_bytes(whole)
    site.until_ready()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
@pytest.mark.parametrize("what", ["storage", "scratch"])
def test_disk_is_full(site: WorkerSite, what: str) -> None:
    site.upload(1)
    folder = site.home / "scratch" if what == "scratch" else site.media
    kept = shutil.copytree(folder, site.home / "kept") if folder.exists() else None
    folder.mkdir(exist_ok=True)
    size = 8 if what == "storage" else 300  # a worker asks for 256 MiB of scratch space
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        if kept:
            shutil.copytree(kept, folder, dirs_exist_ok=True)
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(65536)):
                pass
        site.start()
        site.until_stalled("storage-full", "scratch-full", "disk-full", "encoder-broken")
        time.sleep(2)
        filler.unlink()
        site.until_ready()
        site.assert_sources_are_there()
        site.assert_no_attempt_was_spent()
    finally:
        site.stop()
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_storage_is_read_only(site: WorkerSite) -> None:
    site.upload(1)
    bind = ["mount", "--bind", str(site.media), str(site.media)]
    if subprocess.run(bind, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        remount = ["mount", "-o", "remount,bind,ro", str(site.media)]
        subprocess.run(remount, check=True)
        site.start()
        site.until_stalled("storage-unavailable", "machine-fault")
        subprocess.run(["mount", "-o", "remount,bind,rw", str(site.media)], check=True)
        site.until_ready()
        site.assert_sources_are_there()
        site.assert_no_attempt_was_spent()
    finally:
        site.stop()
        subprocess.run(["umount", "-l", str(site.media)], check=True)


def test_database_is_away(site: WorkerSite) -> None:
    """Nobody may connect, and whoever was is cut off, again and again while films are encoded."""
    site.upload(2)
    name = urlsplit(site.dsn).path.removeprefix("/")
    site.start()
    site.until(lambda: "encoding" in {state for state, _, _ in site.assets()})
    with psycopg.connect(settings.database_dsn, autocommit=True) as server:
        server.execute(f"alter database {name} allow_connections false".encode())
        for _ in range(10):
            server.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
            )
            time.sleep(0.3)
        server.execute(f"alter database {name} allow_connections true".encode())
    site.until_ready()
    site.assert_sources_are_there()


def test_cancelled_and_deleted_jobs_are_queued_again(site: WorkerSite) -> None:
    """Whoever cancelled them died before the films were told."""
    site.upload(1)
    site.ask("update procrastinate_jobs set status = 'cancelled'")
    site.ask("delete from procrastinate_jobs where status = 'todo'")
    site.start()
    site.reconcile()
    site.until_ready()
    assert site.ask("select count(*) from job_incident where kind = 'requeued'") == [(1,)]
