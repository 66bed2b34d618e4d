"""Room on the local disk for unfinished work; what killed processes left in theirs goes.

Each process works in a folder of its own, beside a lock file it holds for as long as it lives.
"""

import fcntl
import os
import shutil
import uuid
from functools import cache
from pathlib import Path

from videoflix.settings import settings


def _root() -> Path:
    root = settings.videoflix_home / "scratch"
    root.mkdir(parents=True, exist_ok=True)
    return root


def scratch_folder() -> Path:
    """This process's folder, made at the first call, and again when somebody removed it."""
    folder = _own_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@cache
def _own_folder() -> Path:
    lock = _root() / f"{uuid.uuid4().hex}.lock"
    # Never closed: the lock goes with the process, however that ends.
    fcntl.flock(os.open(lock, os.O_CREAT | os.O_RDWR, 0o600), fcntl.LOCK_EX)
    return lock.with_suffix("")


def sweep_scratch() -> int:
    """Remove the folders of processes that are gone; how many there were."""
    return sum(_removed_if_left(lock) for lock in _root().glob("*.lock"))


def _removed_if_left(lock: Path) -> bool:
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink()
    except (BlockingIOError, FileNotFoundError):  # it lives, or another process was faster
        return False
    return True
