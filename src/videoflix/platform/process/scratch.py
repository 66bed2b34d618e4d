"""Scratch folders on the local disk; those of killed processes are swept.

Each process has its own folder and holds a lock on a file beside it while it lives.
"""

import fcntl
import os
import shutil
import uuid
from functools import cache
from pathlib import Path

from videoflix.settings import settings


def scratch_root() -> Path:
    """Return the folder that the processes of one VIDEOFLIX_HOME share, creating it if missing."""
    """Return the folder that the processes of one VIDEOFLIX_HOME share, creating it if missing."""
    root = settings.videoflix_home / "scratch"
    root.mkdir(parents=True, exist_ok=True)
    return root


def scratch_folder() -> Path:
    """Return this process's folder, creating it if it is missing."""
    folder = _own_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@cache
def _own_folder() -> Path:
    lock = scratch_root() / f"{uuid.uuid4().hex}.lock"
    # Never closed: the kernel releases the lock when the process ends.
    fcntl.flock(os.open(lock, os.O_CREAT | os.O_RDWR, 0o600), fcntl.LOCK_EX)
    return lock.with_suffix("")


def sweep_scratch() -> int:
    """Delete the folders of processes that have ended; return their number."""
    return sum(_sweep(lock) for lock in scratch_root().glob("*.lock"))


def _sweep(lock: Path) -> bool:
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink()
    except (BlockingIOError, FileNotFoundError):  # in use, or already swept
        return False
    return True
