"""The data directory (VIDEOFLIX_HOME): lock, secret key, first password, and sub-folders.

home/lock             held by the running `up`      home/secret_key      signs tokens
home/state.json       its process id and address    home/first_password  until it was shown
home/postgres         the embedded database         home/logs            output of child processes
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec


class DataDirUnusable(Exception):
    """The folder cannot be used; the message says why and how to fix it."""


class State(msgspec.Struct):
    """The running `up`: process id and URL."""

    pid: int
    url: str


class DataDir:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = folder / "postgres"
        self.logs = folder / "logs"
        self._state = folder / "state.json"
        self._first_password = folder / "first_password"

    @contextmanager
    def locked(self, url: str) -> Iterator[None]:
        """Hold an exclusive flock on the folder, which the kernel releases when the process ends.

        Raises DataDirUnusable if another process holds it, or if the folder is not writable.
        """
        try:
            self._create()
            lock = (self.folder / "lock").open("a")
        except OSError as error:
            raise DataDirUnusable(
                f"Cannot write to {self.folder} ({error.strerror})."
                " Set VIDEOFLIX_HOME to a writable folder."
            ) from error
        with lock:
            self._take(lock.fileno())
            self._state.write_bytes(msgspec.json.encode(State(os.getpid(), url)))
            yield
            self._state.unlink(missing_ok=True)

    def _create(self) -> None:
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            # Postgres for root runs as another account, which must traverse the folder.
            self.folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        self.logs.mkdir(exist_ok=True, mode=0o700)

    def _take(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirUnusable(
                f"Videoflix is already running{self._running_address()}."
                f" Its data is in {self.folder}. To run another one, set VIDEOFLIX_HOME."
            ) from None

    def _running_address(self) -> str:
        try:
            state = msgspec.json.decode(self._state.read_bytes(), type=State)
        except (FileNotFoundError, msgspec.DecodeError):
            return ""
        return f" at {state.url} (process {state.pid})"

    def clear_scratch(self) -> None:
        """Delete what killed processes left; safe while the lock is held."""
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)

    def ensure_secret_key(self) -> None:
        """Generate the key that signs tokens, unless it exists."""
        _write_once(self.folder / "secret_key", secrets.token_urlsafe(48))

    def first_password(self) -> str:
        """Generate or read the first password; the same until `delete_first_password()`."""
        _write_once(self._first_password, secrets.token_urlsafe(12))
        return self._first_password.read_text()

    def delete_first_password(self) -> None:
        self._first_password.unlink(missing_ok=True)


def _write_once(file: Path, content: str) -> None:
    """Write a private file atomically, unless it exists."""
    if file.exists():
        return
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(content)
    unfinished.rename(file)
