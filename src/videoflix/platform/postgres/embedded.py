"""The embedded Postgres: a server with its files in one folder, supervised by this process.

It listens on a Unix socket only, requires a password (kept in `pgpass`, which libpq, psycopg
and asyncpg read), and shuts down cleanly when the process that started it dies for any reason.

    folder/data      the database cluster          folder/pgpass        the application's password
    folder/run       the socket                    folder/pgpass_admin  the administrator's
    folder/log       the server's log

The application's role only owns its database; the role `postgres` administers the server.
"""

import os
import secrets
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from videoflix.platform.postgres.binaries import (
    PostgresUnusable,
    closed_parent,
    program_folder,
    service_account,
)
from videoflix.platform.postgres.embedded_role import (
    ADMINISTRATOR,
    DATABASE,
    HELPER,
    ROLE,
    ensure_role,
    hand_over,
)
from videoflix.platform.process.parent_death import Account, with_parent_death_signal
from videoflix.setting_types import socket_directory

START_SECONDS = 120.0  # including crash recovery
STOP_SECONDS = 30.0
LOG_BYTES = 5_000_000
# Environment variables passed to the server; none of them holds a secret.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",  # statements may contain personal data
}
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """A Postgres server with its files in `folder`, created by the first `start()`.

    Only one process at a time may use a folder; the caller has to ensure that.
    `durable=False` disables fsync for speed (tests).
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder.absolute()
        self.durable = durable
        self.data = self.folder / "data"
        self.sockets = socket_directory(self.folder)
        self.passfile = self.folder / "pgpass"
        self.admin_passfile = self.folder / "pgpass_admin"
        self.log = self.folder / "log"
        self._account = service_account()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Process ID of the server while it runs, otherwise None."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def dsn(self, database: str = DATABASE) -> str:
        """Return the connection URL for asyncpg, psycopg and, with another scheme, SQLAlchemy."""
        return self._dsn(ROLE, self.passfile, database)

    def admin_dsn(self, database: str = DATABASE) -> str:
        """Return the connection URL of the server's administrator."""
        return self._dsn(ADMINISTRATOR, self.admin_passfile, database)

    def _dsn(self, role: str, passfile: Path, database: str) -> str:
        return (
            f"postgresql://{role}@/{database}?host={quote(str(self.sockets))}"
            f"&passfile={quote(str(passfile))}"
        )

    def start(self) -> None:
        """Start the server and wait until it accepts connections; call from the main thread.

        A server left over in this folder is stopped first. Raises PostgresUnusable.
        """
        self.stop()
        self._prepare_folder()
        self._stop_leftovers()
        if not self.data.exists():
            self._create_cluster()
        self._launch()
        self._create_database()

    def stop(self) -> None:
        """Stop the server: a fast shutdown, then immediate, then SIGKILL."""
        if self._process is None:
            return
        for last_signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(last_signal)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            break
        self._process = None

    def _prepare_folder(self) -> None:
        for folder in (self.folder, self.sockets):
            if not folder.exists():
                folder.mkdir(parents=True)
                folder.chmod(0o755 if self._account else 0o700)
        self._check_socket_owner()
        if self._account:
            os.chown(self.sockets, self._account.uid, self._account.gid)
            self._check_parents(self._account)
        for passfile in (self.passfile, self.admin_passfile):
            if not passfile.exists():
                _write_private(passfile, f"*:*:*:*:{secrets.token_urlsafe(24)}\n")
            passfile.chmod(0o600)  # restoring a backup may have changed its mode

    def _check_socket_owner(self) -> None:
        """Refuse a socket folder in /tmp that another user has created."""
        found = self.sockets.lstat()
        ours = {os.geteuid(), self._account.uid if self._account else os.geteuid()}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours:
            raise PostgresUnusable(
                f"{self.sockets} belongs to someone else. Set VIDEOFLIX_HOME to a shorter path."
            )

    def _check_parents(self, account: Account) -> None:
        if closed := closed_parent(self.data, account):
            raise PostgresUnusable(
                f"Postgres runs as the account `{account.name}`, which cannot enter {closed}."
                " Set VIDEOFLIX_HOME to a folder it can reach, such as /var/lib/videoflix."
            )

    def _stop_leftovers(self) -> None:
        """Stop server processes of this cluster that have lost their supervisor.

        Lock files are removed as well: Postgres trusts the PID in them, which another process
        may have by now (in a container even the one that starts Postgres).
        """
        for last_signal in (signal.SIGINT, signal.SIGKILL):
            deadline = time.monotonic() + STOP_SECONDS
            for pid in _server_processes(self.data):
                _send(pid, last_signal)
            while _server_processes(self.data) and time.monotonic() < deadline:
                time.sleep(0.05)
        for lock in (self.data / "postmaster.pid", *self.sockets.glob(".s.PGSQL.*.lock")):
            lock.unlink(missing_ok=True)

    def _create_cluster(self) -> None:
        """Create the cluster in a temporary folder and rename it, so that it is never partial."""
        unfinished, password = self.folder / "data-unfinished", self.folder / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        password.unlink(missing_ok=True)
        unfinished.mkdir(mode=0o700)
        _write_private(password, _password_in(self.admin_passfile))
        if self._account:
            for path in (unfinished, password):
                os.chown(path, self._account.uid, self._account.gid)
        self._initdb(unfinished, password)
        password.unlink()
        unfinished.rename(self.data)

    def _initdb(self, data: Path, password: Path) -> None:
        done = self._run(
            "initdb",
            f"--pgdata={data}",
            f"--username={ADMINISTRATOR}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--data-checksums",
            "--no-instructions",
            *(() if self.durable else ("--no-sync",)),
        )
        if done.returncode != 0:
            raise PostgresUnusable(f"Postgres could not create its files:\n{done.stderr.strip()}")

    def _launch(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old"))
        given = SETTINGS | ({} if self.durable else NOT_DURABLE)
        given["unix_socket_directories"] = str(self.sockets)
        # As root we use another account than the server; the password protects it either way.
        given["unix_socket_permissions"] = "0777" if self._account else "0700"
        options = [f"--{name}={value}" for name, value in given.items()]
        with self.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command line
                self._command("postgres", "-D", str(self.data), *options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(),
                start_new_session=True,  # Ctrl-C must not reach the server before our own shutdown
            )
        self._process = process
        self._wait_until_ready(process)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise PostgresUnusable(f"Postgres did not start:\n{self._end_of_log()}")
            if _is_ready(self.data / "postmaster.pid", process.pid):
                return
            time.sleep(0.02)
        self.stop()
        raise PostgresUnusable(f"Postgres was not ready in {START_SECONDS:.0f} s; see {self.log}.")

    def _create_database(self) -> None:
        """Create the role and the database, and make sure that the role is no superuser."""
        password = _password_in(self.passfile)
        try:
            if self._has_superuser_role():
                self._hand_over(password)
            ensure_role(self.admin_dsn("postgres"), password)
            with psycopg.connect(self.dsn()):
                pass
        except psycopg.OperationalError as error:
            self.stop()
            raise PostgresUnusable(
                f"The embedded Postgres runs but rejects our password; are {self.passfile} and"
                f" {self.admin_passfile} still the ones it was created with?\n{error}"
            ) from error

    def _has_superuser_role(self) -> bool:
        """Whether an earlier version created the cluster, with `videoflix` as its superuser."""
        superuser = "select from pg_roles where rolname = current_user and rolsuper"
        try:
            with psycopg.connect(self.dsn("postgres")) as connection:
                return connection.execute(superuser).fetchone() is not None
        except psycopg.OperationalError:
            return False  # a new cluster without the role

    def _hand_over(self, password: str) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            known = connection.execute("select from pg_database where datname = %s", [DATABASE])
            if known.fetchone() is None:
                create = sql.SQL("create database {}").format(sql.Identifier(DATABASE))
                connection.execute(create)
        helper = self._dsn(HELPER, self.passfile, DATABASE)
        hand_over(self.dsn(), helper, password, _password_in(self.admin_passfile))

    def _command(self, name: str, *options: str) -> list[str]:
        program = program_folder(self.folder, self._account) / name
        return with_parent_death_signal([str(program), *options], signal.SIGINT, self._account)

    def _run(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own command line
            self._command(name, *options),
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env=_environment(),
        )

    def _end_of_log(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])


def _environment() -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**passed_on, "LC_ALL": "C"}


def _password_in(passfile: Path) -> str:
    return passfile.read_text().rstrip("\n").rpartition(":")[2]


def _write_private(file: Path, content: str) -> None:
    with open(file, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as writer:
        writer.write(content)


def _is_ready(pid_file: Path, pid: int) -> bool:
    """Check `postmaster.pid`: line 1 holds the server's PID, line 8 its state."""
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _server_processes(data: Path) -> list[int]:
    """Return the PIDs of `postgres` processes whose working directory is the cluster."""
    found, cluster = [], data.resolve()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text().strip() == "postgres" and (
                (entry / "cwd").readlink() == cluster
            ):
                found.append(int(entry.name))
        except OSError:
            continue  # it ended meanwhile, or belongs to another user
    return found


def _send(pid: int, last_signal: signal.Signals) -> None:
    try:
        os.kill(pid, last_signal)
    except ProcessLookupError:
        return
