"""The test run's own Postgres, and the environment that makes the application use it.

Import this before anything of videoflix: settings are read once, at the first import.
Folders are made in /tmp itself: a socket's path may be 107 bytes long, and pytest's own
temporary folders are closed to the account Postgres runs under when root runs the tests.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOME = Path(tempfile.mkdtemp(prefix="videoflix-tests-", dir="/tmp"))
HOME.chmod(0o711)
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
for name in ("DATABASE_URL", "STORAGE_URL"):
    os.environ.pop(name, None)
os.environ["SITE_URL"] = "http://test"  # where conftest's clients are
os.environ["VIDEOFLIX_HOME"] = str(HOME)
for name in ("THROTTLE_ANON", "THROTTLE_USER", "THROTTLE_UPLOAD"):
    os.environ[name] = "off"  # all tests come from one address
os.environ["SECRET_KEY"] = "a-key-for-tests-only-32-characters"

import psycopg  # noqa: E402 - after the environment

from videoflix.platform.postgres.embedded import EmbeddedPostgres  # noqa: E402 - after the environment


@contextmanager
def running_postgres() -> Iterator[EmbeddedPostgres]:
    """The server of this run, with an empty database `videoflix`."""
    with EmbeddedPostgres(HOME / "postgres", durable=False) as server:
        with psycopg.connect(server.admin_dsn("postgres"), autocommit=True) as connection:
            connection.execute("alter role videoflix createdb")  # tests make databases of their own
        yield server


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder the account Postgres runs under may enter, also when root tests."""
    folder = Path(tempfile.mkdtemp(prefix="videoflix-tests-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
