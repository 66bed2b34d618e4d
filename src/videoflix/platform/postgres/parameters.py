"""Connection parameters for both Postgres drivers, from a single URL.

DATABASE_URL is parsed by libpq (PQconninfoParse); PG… variables and service files supply defaults,
as libpq documents ("Database Connection Control Functions",
https://www.postgresql.org/docs/current/libpq-connect.html). psycopg gets the result unchanged;
`driver_arguments()` translates it for asyncpg. Parameters that asyncpg lacks are refused at start.
"""

import configparser
import os
import ssl
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from videoflix.settings import settings

Parameters = dict[str, str]

EXPECTED = (
    "expected postgresql://user:password@host:port/name;"
    " characters like @ : / # % in a user or password are percent-encoded"
)
CHOICES = {
    "sslmode": {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
    "target_session_attrs": {
        "any",
        "primary",
        "standby",
        "read-write",
        "read-only",
        "prefer-standby",
    },
    "sslnegotiation": {"postgres", "direct"},
}
NUMBERS = {
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
}
FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
TLS = (
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslcrl",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
)
# Parameters that asyncpg lacks, with the values that are equivalent to their absence.
ONLY_LIBPQ: dict[str, set[str]] = {
    "channel_binding": {"disable", "prefer"},
    "client_encoding": {"auto", "utf8", "utf-8", "UTF8", "UTF-8"},
    "gssdelegation": {"0"},
    "gssencmode": {"disable", "prefer"},
    "hostaddr": set(),
    "load_balance_hosts": {"disable"},
    "max_protocol_version": set(),
    "min_protocol_version": set(),
    "oauth_client_id": set(),
    "oauth_client_secret": set(),
    "oauth_issuer": set(),
    "oauth_scope": set(),
    "replication": {"false", "off", "no", "0"},
    "require_auth": set(),
    "requirepeer": set(),
    "scram_client_key": set(),
    "scram_server_key": set(),
    "sslcertmode": {"allow"},
    "sslcompression": {"0"},
    "sslcrldir": set(),
    "sslkeylogfile": set(),
    "sslsni": {"1"},
}
SOCKET_FOLDERS = ("/run/postgresql", "/var/run/postgresql", "/tmp")  # noqa: S108 - where servers put them
SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
OPEN_TO_OTHERS = 0o077
GROUP_MAY_READ = 0o040


def parameters(*, direct: bool = False) -> Parameters:
    """Return the effective connection parameters under their libpq names.

    `direct`: those of DATABASE_LISTEN_URL, for connections that need a session.
    Raises SystemExit with a message if the URL is invalid.
    """
    if direct and settings.database_listen_url:
        return _checked("DATABASE_LISTEN_URL", settings.database_listen_url)
    if settings.database_url:
        return _checked("DATABASE_URL", settings.database_url)
    return _embedded(settings.database_dsn)


def _embedded(url: str) -> Parameters:
    """Return the embedded server's parameters, ignoring PG… variables meant for another server."""
    found = _parsed("DATABASE_URL", url) | {"port": "5432", "sslmode": "disable"}
    for option in pq.Conninfo.get_defaults():
        name, variable = option.keyword.decode(), (option.envvar or b"").decode()
        if variable in os.environ and name not in {"service", "connect_timeout"}:
            found.setdefault(name, (option.compiled or b"").decode())
    passfile = Path(found["passfile"])
    if passfile.exists():
        found["password"] = passfile.read_text().rstrip("\n").rpartition(":")[2]
    return found


def _checked(variable: str, url: str) -> Parameters:
    given = _parsed(variable, url)
    found = _defaults() | _service(variable, given) | given
    for name, harmless in ONLY_LIBPQ.items():
        if found.get(name) and found[name] not in harmless:
            sys.exit(
                f"{variable} is wrong: {name}={_shown(name, found[name])} is not supported"
                " (one of the two drivers cannot do it); leave it out."
            )
    for name, choices in CHOICES.items():
        if found.get(name, "") not in {"", *choices}:
            sys.exit(
                f"{variable} is wrong: {name} is one of {', '.join(sorted(choices))},"
                f" not {found[name]}."
            )
    for name in NUMBERS:
        if not found.get(name, "0").strip().removeprefix("-").isdigit():
            sys.exit(f"{variable} is wrong: {name} is a number, not {found[name]}.")
    _check_ports(variable, found)
    _use_system_authorities(variable, given, found)
    _check_files(variable, found)
    return {name: value for name, value in found.items() if value}


def _parsed(variable: str, url: str) -> Parameters:
    """Parse a URL. Raises SystemExit with a message that contains no password."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        sys.exit(f"{variable} is wrong: {EXPECTED}.")
    try:
        found = conninfo_to_dict(f"postgresql://{rest}")
    except ProgrammingError as error:
        unknown = str(error).partition('invalid URI query parameter: "')[2].partition('"')[0]
        reason = f"there is no parameter {unknown}" if unknown else EXPECTED
        sys.exit(f"{variable} is wrong: {reason}.")
    return {name: str(value) for name, value in found.items()}


def _defaults() -> Parameters:
    """Return the defaults of the PG… variables, the service in PGSERVICE and libpq."""
    return {
        option.keyword.decode(): option.val.decode()
        for option in pq.Conninfo.get_defaults()
        if option.val and option.keyword != b"service"
    }


def _service(variable: str, given: Parameters) -> Parameters:
    """Return the parameters of the URL's service from the connection service file."""
    name = given.pop("service", None)
    if not name:
        return {}
    files = [
        os.environ.get("PGSERVICEFILE") or str(Path("~/.pg_service.conf").expanduser()),
        str(Path(os.environ.get("PGSYSCONFDIR", "/etc/postgresql-common")) / "pg_service.conf"),
    ]
    parser = configparser.ConfigParser(interpolation=None)
    for file in files:
        parser.clear()
        parser.read(file)
        if parser.has_section(name):
            return dict(parser[name])
    sys.exit(f"{variable} is wrong: the service {name} is defined in none of {', '.join(files)}.")


def _check_ports(variable: str, found: Parameters) -> None:
    ports, hosts = found.get("port", "").split(","), found.get("host", "").split(",")
    for port in ports:
        if port and not (port.isdigit() and 0 < int(port) < 65_536):
            sys.exit(f"{variable} is wrong: a port is a number below 65536; {EXPECTED}.")
    if len(ports) not in {1, len(hosts)}:
        sys.exit(f"{variable} is wrong: it names {len(hosts)} hosts and {len(ports)} ports.")
    if any(host.startswith("@") for host in hosts):
        sys.exit(f"{variable} is wrong: abstract Unix sockets (host=@…) are not supported.")


def _use_system_authorities(variable: str, given: Parameters, found: Parameters) -> None:
    """Replace sslrootcert=system, as the drivers' bundled OpenSSL looks in other folders."""
    if found.get("sslrootcert") != "system":
        return
    if found["sslmode"] != "verify-full" and "sslmode" in given:
        sys.exit(f"{variable} is wrong: sslrootcert=system requires sslmode=verify-full.")
    known = ssl.get_default_verify_paths().cafile or SYSTEM_AUTHORITIES
    found |= {"sslmode": "verify-full", "sslrootcert": known}


def _check_files(variable: str, found: Parameters) -> None:
    for name in FILES:
        if not found.get(name):
            continue
        try:
            with Path(found[name]).open("rb"):
                pass
        except OSError as error:
            sys.exit(f"{variable} is wrong: {name}={found[name]} ({error.strerror}).")
    if found.get("sslkey") and _is_open(Path(found["sslkey"])):
        sys.exit(
            f"{variable} is wrong: sslkey={found['sslkey']} is readable by others;"
            " restrict it with chmod 600."
        )


def _is_open(key: Path) -> bool:
    """Apply libpq's rule: keys are readable by their owner only; root's also by its group."""
    status = key.stat()
    allowed = GROUP_MAY_READ if status.st_uid == 0 else 0
    return bool(status.st_mode & OPEN_TO_OTHERS & ~allowed)


def _shown(name: str, value: str) -> str:
    return "…" if "secret" in name or "key" in name else value


def addresses(found: Parameters) -> tuple[list[str], list[int]]:
    """Return the hosts and ports in the order in which to try them."""
    hosts = found.get("host", "").split(",")
    ports = found.get("port", "5432").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    pairs: list[tuple[str, int]] = []
    for host, port in zip(hosts, ports, strict=True):
        for one in [host] if host else [*SOCKET_FOLDERS, "localhost"]:
            pairs.append((one, int(port or 5432)))
    return [host for host, _ in pairs], [port for _, port in pairs]


def driver_arguments(found: Parameters) -> dict[str, Any]:
    """Translate parameters for asyncpg, which accepts TLS options only in a DSN."""
    hosts, ports = addresses(found)
    arguments: dict[str, Any] = {
        "host": hosts,
        "port": ports,
        "user": found.get("user"),
        "password": found.get("password"),
        "passfile": found.get("passfile"),
        "database": found.get("dbname") or found.get("user"),
        "target_session_attrs": found.get("target_session_attrs", "any"),
    }
    if all(host.startswith("/") for host in hosts):
        arguments["ssl"] = False  # like libpq: no TLS on Unix sockets
    else:
        tls = {name: found[name] for name in TLS if found.get(name)}
        arguments["dsn"] = f"postgresql://?{urlencode(tls)}"
    return arguments


def conninfo_of(found: Parameters) -> str:
    """Format parameters as a conninfo string for psycopg."""
    hosts, ports = addresses(found)
    merged: Parameters = {"host": ",".join(hosts), "port": ",".join(map(str, ports))}
    return make_conninfo(**(found | merged))
