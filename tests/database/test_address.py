"""DATABASE_URL means the same to both drivers, and what one of them cannot do is refused."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import NullPool, text

from database.servers import TlsServer, tls_server
from videoflix.platform.postgres import parameters as connections
from videoflix.platform.postgres.connect import CertificateRefused, QueueConnection, connect
from videoflix.platform.postgres.engine import new_engine
from videoflix.platform.postgres.parameters import conninfo_of, driver_arguments, parameters
from videoflix.settings import settings
from videoflix.up.checks import check_database

Use = Callable[[str], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Set DATABASE_URL for what connects in this process."""

    def set_url(url: str) -> None:
        changed = msgspec.structs.replace(settings, database_url=url)
        monkeypatch.setattr(connections, "settings", changed)

    return set_url


@pytest.fixture(scope="module")
def server(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    with tls_server(settings.database_dsn, tmp_path_factory.mktemp("tls")) as server:
        yield server


async def seen_by_both() -> list[bool]:
    """Whether the API's and the worker's connections are encrypted."""
    engine = new_engine(session={"statement_timeout": "30s"}, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text("select 1"))
        raw: Any = (await connection.get_raw_connection()).driver_connection
        ours = raw._transport.get_extra_info("ssl_object") is not None
    await engine.dispose()
    async with await QueueConnection.connect(
        application="worker", session={"lock_timeout": "5s"}
    ) as worker:
        await worker.execute("select 1")
        theirs = worker.pgconn.ssl_in_use
    return [ours, theirs]


async def refusals() -> list[str]:
    """What the API and the worker say when they may not connect."""
    said = []
    with pytest.raises(CertificateRefused) as ours:
        await connect()
    said.append(str(ours.value))
    with pytest.raises(Exception, match="certificate") as theirs:
        await QueueConnection.connect(application="worker")
    return [*said, str(theirs.value)]


@pytest.mark.parametrize(
    ("mode", "encrypted"),
    [
        ("disable", False),
        ("allow", False),
        ("prefer", True),
        ("require", True),
        ("verify-ca", True),
        ("verify-full", True),
    ],
)
async def test_every_sslmode_is_the_same_for_both(
    server: TlsServer, use: Use, mode: str, encrypted: bool
) -> None:
    use(server.url(sslmode=mode, sslrootcert=str(server.authority)))
    assert await seen_by_both() == [encrypted, encrypted]
    assert (await check_database()).level == "ok"


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_certificate_of_another_authority_is_refused_by_both(
    server: TlsServer, use: Use, mode: str
) -> None:
    use(server.url(sslmode=mode, sslrootcert=str(server.other_authority)))
    ours, theirs = await refusals()
    assert "CERTIFICATE_VERIFY_FAILED" in ours.replace(" ", "_").upper()
    assert "sslrootcert" in ours
    assert "certificate verify failed" in theirs
    finding = await check_database()
    assert (finding.level, "sslrootcert" in finding.detail) == ("fail", True)


async def test_certificate_for_another_name_is_refused_by_verify_full_alone(
    server: TlsServer, use: Use
) -> None:
    by_number = server.url(sslrootcert=str(server.authority)).replace("localhost", "127.0.0.1")
    use(f"{by_number}&sslmode=verify-ca")
    assert await seen_by_both() == [True, True]
    use(f"{by_number}&sslmode=verify-full")
    with pytest.raises(CertificateRefused):
        await connect()
    with pytest.raises(Exception, match="does not match host name"):
        await QueueConnection.connect(application="worker")


async def test_client_certificates_and_variables_work_for_both(
    server: TlsServer, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(server.authority))
    monkeypatch.setenv("PGPASSWORD", server.password)
    use(
        f"postgres://videoflix@localhost:{server.port}/videoflix"
        f"?sslcert={server.certificate}&sslkey={server.key}"
    )
    assert await seen_by_both() == [True, True]
    monkeypatch.setenv("PGSSLMODE", "disable")
    assert await seen_by_both() == [False, False]


@pytest.mark.parametrize("program", ["migrate", "doctor"])
def test_commands_accept_what_the_workers_accept(server: TlsServer, program: str) -> None:
    url = server.url(sslmode="require", application_name="trial", connect_timeout="4")
    done = run(program, DATABASE_URL=url, COLUMNS="200")
    assert not done.stderr, done.stderr
    if program == "doctor":
        assert re.search(r"ok +Database", done.stdout), done.stdout


async def test_session_parameters_of_the_address_win(server: TlsServer, use: Use) -> None:
    use(
        server.url(
            application_name="named", options="-c%20statement_timeout%3D7s", connect_timeout="3"
        )
    )
    connection = await connect(session={"statement_timeout": "30s", "lock_timeout": "5s"})
    shown = [
        await connection.fetchval(f"show {name}")
        for name in ("application_name", "statement_timeout", "lock_timeout")
    ]
    await connection.close()
    assert shown == ["named", "7s", "5s"]
    arguments: dict[str, Any] = {"session": {"statement_timeout": "30s", "lock_timeout": "5s"}}
    async with await QueueConnection.connect(application="worker", **arguments) as worker:
        cursor = await worker.execute(
            "select current_setting('application_name'), current_setting('statement_timeout'),"
            " current_setting('lock_timeout')"
        )
        assert await cursor.fetchone() == ("named", "7s", "5s")


async def test_the_next_host_is_tried(server: TlsServer, use: Use) -> None:
    url = server.url(target_session_attrs="read-write")
    use(url.replace("@localhost:", "@127.0.0.1:1,localhost:"))
    assert await seen_by_both() == [True, True]
    use(url.replace("read-write", "standby"))
    for opening in (connect(), QueueConnection.connect(application="worker")):
        with pytest.raises(Exception, match=r"standby|not in hot standby|target_session_attrs"):
            await opening


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://u:p%40%2F%3A%23%25@h/d", {"password": "p@/:#%", "host": ["h"]}),
        ("postgresql+asyncpg://u@[2001:db8::1]:6543/d", {"host": ["2001:db8::1"], "port": [6543]}),
        ("postgresql://u:x@h/d", {"port": [5432], "database": "d", "user": "u"}),
        ("postgresql://u@h", {"database": "u"}),
        ("postgresql://u@/d?host=/run/pg", {"host": ["/run/pg"], "ssl": False}),
        ("postgresql://u@%2Frun%2Fpg/d", {"host": ["/run/pg"]}),
        ("postgresql://u@a,b:6000/d", {"host": ["a", "b"], "port": [5432, 6000]}),
        ("postgresql://u@a,b/d?port=6000", {"host": ["a", "b"], "port": [6000, 6000]}),
    ],
)
def test_addresses_in_every_form(use: Use, url: str, expected: dict[str, object]) -> None:
    use(url)
    found = parameters()
    arguments = driver_arguments(found)
    assert {name: arguments.get(name) for name in expected} == expected
    if "password" in expected:
        assert "password='p@/:#%'" in conninfo_of(found).replace('"', "'") or (
            "password=p@/:#%" in conninfo_of(found)
        )


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://u:s3cret@h/d", "expected postgresql://user"),
        ("host=h password=s3cret", "expected postgresql://user"),
        ("postgresql://u:s3cret/x@h/d", "percent-encoded"),
        ("postgresql://u:s3cret@h/d?colour=red", "no parameter colour"),
        ("postgresql://u:s3cret@h/d?sslmode=maybe", "sslmode is one of"),
        ("postgresql://u:s3cret@h/d?channel_binding=require", "channel_binding=require is not"),
        ("postgresql://u:s3cret@h/d?hostaddr=10.0.0.1", "hostaddr"),
        ("postgresql://u:s3cret@h/d?requirepeer=postgres", "requirepeer"),
        ("postgresql://u:s3cret@h/d?gssencmode=require", "gssencmode"),
        ("postgresql://u:s3cret@h/d?require_auth=scram-sha-256", "require_auth"),
        ("postgresql://u:s3cret@h/d?client_encoding=latin1", "client_encoding"),
        ("postgresql://u:s3cret@h/d?connect_timeout=soon", "connect_timeout is a number"),
        ("postgresql://u:s3cret@h/d?target_session_attrs=any-of-them", "target_session_attrs"),
        ("postgresql://u:s3cret@h/d?sslrootcert=/nowhere.pem", "sslrootcert=/nowhere.pem"),
        ("postgresql://u:s3cret@h/d?sslcert=/nowhere.pem", "sslcert=/nowhere.pem"),
        ("postgresql://u:s3cret@h:99999/d", "a port is a number"),
        ("postgresql://u:s3cret@h/d?service=nowhere", "service nowhere"),
        (
            "postgresql://u:s3cret@h/d?sslmode=require&sslrootcert=system",
            "sslrootcert=system requires sslmode=verify-full",
        ),
    ],
)
def test_what_is_wrong_is_named_and_secrets_are_not(use: Use, url: str, sentence: str) -> None:
    use(url)
    with pytest.raises(SystemExit) as refused:
        parameters()
    assert sentence in str(refused.value)
    assert str(refused.value).startswith("DATABASE_URL is wrong")
    assert "s3cret" not in str(refused.value)


def test_keys_that_others_may_read_are_refused(use: Use, tmp_path: Path) -> None:
    key = tmp_path / "client.key"
    key.write_text("key")
    key.chmod(0o644)
    use(f"postgresql://u@h/d?sslkey={key}")
    with pytest.raises(SystemExit, match="chmod 600"):
        parameters()


def test_services_are_read_from_their_file(
    use: Use, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "services"
    file.write_text("[films]\nhost=db.example\nuser=ada\ndbname=films\nsslmode=require\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    use("postgresql:///?service=films")
    arguments = driver_arguments(parameters())
    assert (arguments["host"], arguments["user"]) == (["db.example"], "ada")
    assert "sslmode=require" in arguments["dsn"]


@pytest.mark.parametrize("program", ["migrate", "doctor", "worker"])
def test_every_program_refuses_at_start_with_the_sentence(program: str) -> None:
    done = run(program, DATABASE_URL="postgresql://u:s3cret@h/d?requirepeer=me")
    assert done.returncode == 1
    assert done.stderr.startswith("DATABASE_URL is wrong: requirepeer=me is not supported")
    assert len(done.stderr.splitlines()) == 1


async def test_variables_for_other_servers_do_not_reach_the_embedded_one(
    database: None,
) -> None:
    """`videoflix up` works in a shell that has PGHOST, PGPASSWORD and others set."""
    done = run(
        "users",
        "list",
        PGHOST="db.example",
        PGHOSTADDR="192.0.2.1",
        PGPORT="1",
        PGPASSWORD="wrong",
        PGSSLMODE="verify-full",
        PGSSLROOTCERT="/nowhere",
        PGUSER="nobody",
        PGDATABASE="nothing",
        PGTARGETSESSIONATTRS="standby",
    )
    assert done.returncode == 0, done.stderr


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "videoflix.cli", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
