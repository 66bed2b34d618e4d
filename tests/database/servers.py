"""Other kinds of Postgres than the test run's own: with TLS, and behind PgBouncer."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg
import trustme

PROXY = Path(__file__).with_name("tls_proxy.py")
PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


class TlsServer(msgspec.Struct):
    """Where a Postgres takes TLS connections, and what belongs to its certificates."""

    port: int
    password: str
    authority: Path
    other_authority: Path
    certificate: Path
    key: Path

    def url(self, **parameters: str) -> str:
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"postgresql://videoflix:{self.password}@localhost:{self.port}/videoflix?{query}"


@contextmanager
def tls_server(dsn: str, folder: Path) -> Iterator[TlsServer]:
    """Postgres's TLS negotiation, terminated before a server whose build has none.

    Its certificate is for `localhost`. Connections without TLS pass, too.
    """
    authority, other, client = trustme.CA(), trustme.CA(), folder / "client.pem"
    issued = authority.issue_cert("videoflix")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    other.cert_pem.write_to_path(str(folder / "other.pem"))
    issued.cert_chain_pems[0].write_to_path(str(client))
    issued.private_key_pem.write_to_path(str(folder / "client.key"))
    (folder / "client.key").chmod(0o600)
    server = authority.issue_cert("localhost")
    server.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    found = psycopg.conninfo.conninfo_to_dict(dsn)
    port = free_port()
    where = [str(port), f"{found['host']}/.s.PGSQL.5432", str(folder / "server.pem")]
    process = subprocess.Popen([sys.executable, str(PROXY), *where])
    try:
        until_open(port)
        yield TlsServer(
            port,
            password_of(dsn),
            folder / "ca.pem",
            folder / "other.pem",
            client,
            folder / "client.key",
        )
    finally:
        process.terminate()
        process.wait(10)


def password_of(dsn: str) -> str:
    found = psycopg.conninfo.conninfo_to_dict(dsn)
    return Path(str(found["passfile"])).read_text().strip().rpartition(":")[2]


class Bouncer(msgspec.Struct):
    """A PgBouncer in transaction mode before a database."""

    url: str
    direct: str


@contextmanager
def bouncer(direct: str, folder: Path, *, extra: str = "") -> Iterator[Bouncer]:
    """PgBouncer with few server connections, so that clients really share them."""
    assert PGBOUNCER
    found = psycopg.conninfo.conninfo_to_dict(direct)
    password = password_of(direct)
    port = free_port()
    users = folder / "users.txt"
    users.write_text(f'"videoflix" "{password}"\n')
    file = folder / "pgbouncer.ini"
    file.write_text(
        "[databases]\n"
        f"{found['dbname']} = host={found['host']} user=videoflix password={password}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {users}\n"
        f"pool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 200\n{extra}"
    )
    for path in (users, file):
        path.chmod(0o644)
    account = {"user": "nobody"} if os.geteuid() == 0 else {}
    process = subprocess.Popen([PGBOUNCER, "-q", str(file)], **account)  # type: ignore[call-overload] # - as nobody, when root
    try:
        until_open(port)
        url = f"postgresql://videoflix:{password}@127.0.0.1:{port}/{found['dbname']}"
        yield Bouncer(url, direct)
    finally:
        process.terminate()
        process.wait(10)


def until_open(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on {port}")
