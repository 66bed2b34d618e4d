"""Everything an operator can set: one field is one environment variable of the same name."""

import os
import sys
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from videoflix.setting_types import (
    Preset,
    Rate,
    SiteUrl,
    SmtpServer,
    StorageUrl,
    choices,
    default_home,
    networks,
    socket_directory,
)

Positive = Annotated[int, msgspec.Meta(ge=1)]
ProxyKey = Annotated[str, msgspec.Meta(min_length=32)]
MiB = 1024 * 1024


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """The settings in force, read once at start from the environment.

    Each field's comment is its documentation; `.env.template` carries the same sentences.
    """

    # Where an installation without servers of its own keeps database, media, keys and logs.
    videoflix_home: Path = msgspec.field(default_factory=default_home)
    # postgresql://user:password@host/name; unset, the embedded Postgres under VIDEOFLIX_HOME.
    database_url: str = ""
    # The database past a connection pooler, for LISTEN and migrations; unset, DATABASE_URL.
    database_listen_url: str = ""
    # Whether DATABASE_URL leads to a pooler like PgBouncer: transaction, none, or auto to notice.
    database_pooler: Literal["auto", "none", "transaction"] = "auto"
    # Connections each process keeps open to Postgres.
    database_pool_size: Positive = 10
    # Where media lies: file:///path or s3://bucket/prefix; unset, a folder in VIDEOFLIX_HOME.
    storage_url: StorageUrl = StorageUrl("")
    # Whether a file is flushed to the disk before it counts as stored; false is faster and loses
    # acknowledged uploads in a power cut. Buckets answer for themselves: true or false.
    storage_fsync: bool = True
    # Seconds within which a bucket has to answer each request.
    storage_timeout_seconds: Annotated[float, msgspec.Meta(ge=1, le=600)] = 30.0
    # What visitors type into the browser; links and cookies are built from it.
    site_url: SiteUrl = SiteUrl("http://127.0.0.1:8000")
    # Signs tokens; at least 32 characters. Unset, a random one kept in VIDEOFLIX_HOME.
    secret_key: str = ""
    # Earlier values of SECRET_KEY, with commas between: what they signed is good until it expires.
    previous_secret_keys: str = ""
    # Front ends on other hosts that may call the API from browsers, cookies included, with commas
    # between: https://films.example.
    cors_origins: str = ""
    # Which older backends' front ends are served besides our own, with commas between; none for
    # none of them. There is also movies, which changes the errors of /api/v1/movies.
    dialects: str = "academy,netiflex,authemail,streaming"
    # At least 32 characters that a proxy sends as X-Videoflix-Proxy-Key, to let clients of the
    # dialect streaming in without signing in; unset, they need an administrator's sign-in.
    streaming_dialect_trusted_proxy_key: ProxyKey | None = None
    # Whether the dialects tell strangers who has an account, as they once did: true or false.
    dialects_reveal_accounts: bool = False
    # Whether authemail changes password and address without the current password: true or false.
    dialects_trust_sign_in: bool = False
    # Proxies whose X-Forwarded-For is believed: addresses or networks, with commas between.
    trusted_proxies: str = ""
    # Connections each API process keeps open; a new one evicts the one that is idle longest.
    http_connections: Positive = 1000
    # Connections of one client address; proxies in TRUSTED_PROXIES are not limited.
    http_connections_per_client: Positive = 200
    # How long a client may take to send a request's headers, in seconds.
    http_header_seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = 10.0
    # How long a connection may be idle between two requests, in seconds.
    http_idle_seconds: Annotated[int, msgspec.Meta(ge=1, le=600)] = 15
    # A client that sends a body, or reads an answer, slower than 500 bytes a second for so many
    # seconds is cut off.
    http_stall_seconds: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 30.0
    # How long the API serves on after SIGTERM, in seconds, while /health/ready already fails.
    http_drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = 0.0
    # How long requests that are under way, such as uploads, may take once the API is told to stop.
    http_shutdown_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 20
    # How logs are written: json, console (for people), or auto: console in a terminal, else json.
    log_format: Literal["auto", "json", "console"] = "auto"
    # What is logged at least: DEBUG, INFO, WARNING or ERROR; INFO has a line for each request.
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    # What Prometheus sends as a bearer token for /metrics, and monitoring for /health/details;
    # unset, /metrics is off.
    metrics_token: str = ""
    # Requests of one address without a sign-in: a rate like 60/min, or off.
    throttle_anon: Rate = Rate("60/min")
    # Requests of one signed-in person, from wherever: a rate like 300/min, or off.
    throttle_user: Rate = Rate("300/min")
    # Files that one person sends: a rate like 120/hour, or off.
    throttle_upload: Rate = Rate("120/hour")
    # How long an access token is good, in seconds; then the refresh token gets the next one.
    access_token_seconds: Positive = 15 * 60
    # How long a person stays signed in, in seconds.
    refresh_token_seconds: Positive = 30 * 24 * 3600
    # The shortest password that is accepted; 15 is recommended, older front ends expect 8.
    password_min: Annotated[int, msgspec.Meta(ge=8, le=64)] = 8
    # Whether anybody may try the site as a guest, who is forgotten after a day: true or false.
    guest_login: bool = False
    # smtp://user:password@host:587 (STARTTLS) or smtps://…; unset, mails are only kept, see /mail.
    smtp_url: SmtpServer | None = None
    # Whom mails come from; unset, noreply at the host of SITE_URL.
    mail_from: str = ""
    # The name of the site, in mails.
    site_name: str = "Videoflix"
    # Whether a new account has to confirm its e-mail address before it can be used: true or false.
    activation_required: bool = True
    # How long a mailed link to confirm an address works, in seconds.
    activation_seconds: Positive = 3 * 24 * 3600
    # How long a mailed link to choose a new password works, in seconds.
    password_reset_seconds: Positive = 3600
    # Page that mailed links to confirm an address open, with {uid} and {token}; unset, our own.
    activation_url: str = ""
    # Page that mailed links to choose a new password open; unset, our own.
    password_reset_url: str = ""
    # Page that mailed links to confirm a changed address open; unset, our own.
    email_confirm_url: str = ""
    # Where movies are searched: catalog (our own films) or november7.
    movies_provider: str = "catalog"
    # Address of the provider november7: https://movies.example.
    movies_url: str = ""
    # How long the provider of movies may take for an answer, in seconds.
    movies_timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=30)] = 3.0
    # How many questions each process asks the provider of movies at the same time.
    movies_in_flight: Positive = 10
    # Whether strangers may list films for everyone at /movies, with their posters: true or false.
    public_catalogue: bool = True
    # How long a link to play a film stays valid, in seconds.
    play_token_seconds: Positive = 6 * 3600
    # Memory for segment lists and playlists of films that are played, a process, in bytes; a
    # two-hour film with six renditions takes about 0.7 MiB.
    playback_cache_bytes: Annotated[int, msgspec.Meta(ge=MiB)] = 32 * MiB
    # How long a stream counts as watched after it was last heard of, in seconds.
    stream_lease_seconds: Annotated[int, msgspec.Meta(ge=15, le=3600)] = 90
    # The ffmpeg program to use; unset, the one of the installed wheel, then the one on PATH.
    ffmpeg_path: Path | None = None
    # Days for which the file of a film that was refused is kept and can be retried.
    rejected_source_days: Positive = 7
    # Hours for which work on a film waits for a machine that is at fault; then the film fails,
    # its file is kept, and it can be retried.
    stall_max_hours: Positive = 7 * 24
    # What isolates programs that read uploads: auto (as much as the kernel allows), require (no
    # encoding without isolation of network and files), or off.
    sandbox: Literal["auto", "require", "off"] = "auto"
    # Further files and folders those programs may read, with commas between: where an FFMPEG_PATH
    # outside of /usr keeps its libraries.
    sandbox_readable: str = ""
    # The largest file that may be uploaded, in bytes.
    upload_max_bytes: Positive = 20 * 1024 * MiB
    # Free space that uploads leave on a local disk, in bytes.
    storage_reserve_bytes: Annotated[int, msgspec.Meta(ge=0)] = 256 * MiB
    # How many exports of the installation are kept; the oldest go.
    exports_kept: Positive = 8
    # The longest film that is accepted, in seconds.
    film_max_seconds: Positive = 6 * 3600
    # The largest picture that is decoded, in pixels (8192 x 4320 fits).
    film_max_pixels: Positive = 40_000_000
    # How many films' chunks `videoflix up` encodes at the same time; 0: one a core, at most four.
    transcode_workers: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    # Seconds without a heartbeat after which a worker's jobs are taken back.
    worker_stall_seconds: Annotated[float, msgspec.Meta(ge=1.5)] = 30.0
    # Seconds running jobs may still take when a worker is told to stop; then they are given back.
    worker_grace_seconds: Annotated[float, msgspec.Meta(ge=0)] = 15.0
    # The longest pause between two tries of a job while the machine is at fault (a full disk, no
    # storage, a broken ffmpeg), in seconds; the first ones are shorter, and none is counted.
    fault_backoff_seconds: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 60.0
    # How many different films or kinds of jobs have to fail in a row before a worker stops fetching
    # from their queue, and tests itself until it passes.
    worker_breaker_failures: Positive = 3
    # Days after which jobs that are done are forgotten.
    jobs_done_days: Positive = 1
    # Days after which jobs that failed for good are forgotten, with what is known of them.
    jobs_failed_days: Positive = 30
    # The clock that scheduled jobs follow: a name like Europe/Berlin.
    time_zone: ZoneInfo = ZoneInfo("UTC")
    # Whether films are also kept as MP4 files, which take as much room again, for players that know
    # no HLS: true or false.
    mp4_files: bool = True
    # x264's preset: from ultrafast (large files) to veryslow (small ones).
    x264_preset: Preset = "veryfast"
    # x264's constant rate factor: lower is better and larger; 18 to 28 are usual.
    x264_crf: Annotated[int, msgspec.Meta(ge=0, le=51)] = 23

    @property
    def database_dsn(self) -> str:
        """DATABASE_URL; the embedded server's socket when it is unset."""
        if self.database_url:
            return self.database_url.replace("postgresql+asyncpg://", "postgresql://", 1)
        home = self.videoflix_home / "postgres"
        return (
            f"postgresql://videoflix@/videoflix?host={quote(str(socket_directory(home)))}"
            f"&passfile={quote(str(home / 'pgpass'))}"
        )

    @property
    def sqlalchemy_url(self) -> str:
        return "postgresql+asyncpg://" + self.database_dsn.split("://", 1)[1]

    @property
    def media_url(self) -> str:
        return self.storage_url or (self.videoflix_home / "media").absolute().as_uri()

    @property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of TRUSTED_PROXIES. Raises SystemExit with a sentence."""
        return networks(self.trusted_proxies)

    @property
    def origins(self) -> list[str]:
        """The origins of CORS_ORIGINS, as browsers send them."""
        return [part.strip().rstrip("/") for part in self.cors_origins.split(",") if part.strip()]

    @property
    def dialect_names(self) -> list[str]:
        """The names in DIALECTS."""
        names = [part.strip() for part in self.dialects.split(",")]
        return [name for name in names if name not in {"", "none"}]

    @property
    def mail_domain(self) -> str:
        """The domain that vouches for our mails."""
        address = self.mail_from.rpartition("@")[2].rstrip("> ")
        return address or urlsplit(self.site_url).hostname or "localhost"

    @property
    def mail_sender(self) -> str:
        return self.mail_from or f"{self.site_name} <noreply@{self.mail_domain}>"

    @property
    def activation_link(self) -> str:
        return self.activation_url or f"{self.site_url}/#/activate/{{token}}"

    @property
    def password_reset_link(self) -> str:
        return self.password_reset_url or f"{self.site_url}/#/reset/{{token}}"

    @property
    def email_confirm_link(self) -> str:
        return self.email_confirm_url or f"{self.site_url}/#/confirm-email/{{token}}"

    @property
    def worker_reap_seconds(self) -> float:
        """How often each worker looks for jobs to take back."""
        return self.worker_stall_seconds / 3

    @property
    def access_token_lifetime(self) -> timedelta:
        return timedelta(seconds=self.access_token_seconds)

    @property
    def refresh_token_lifetime(self) -> timedelta:
        return timedelta(seconds=self.refresh_token_seconds)

    @property
    def activation_lifetime(self) -> timedelta:
        return timedelta(seconds=self.activation_seconds)

    @property
    def password_reset_lifetime(self) -> timedelta:
        return timedelta(seconds=self.password_reset_seconds)

    @property
    def play_token_lifetime(self) -> timedelta:
        return timedelta(seconds=self.play_token_seconds)

    @property
    def stream_lease_lifetime(self) -> timedelta:
        return timedelta(seconds=self.stream_lease_seconds)

    @property
    def signing_key(self) -> str:
        """The secret that signs tokens.

        Raises SystemExit with a sentence when there is none, or one too short for HS256.
        """
        key_file = self.videoflix_home / "secret_key"
        if self.secret_key:
            key = self.secret_key
        elif key_file.exists():
            key = key_file.read_text().strip()
        else:
            sys.exit("SECRET_KEY is not set: give at least 32 random characters.")
        if len(key) < 32:
            sys.exit("SECRET_KEY is too short: it takes at least 32 characters.")
        return key

    @property
    def earlier_keys(self) -> list[str]:
        """The secrets of PREVIOUS_SECRET_KEYS."""
        return [part.strip() for part in self.previous_secret_keys.split(",") if part.strip()]


def _from_text(kind: type[Any], value: str) -> Any:
    """Kinds msgspec does not read from text by itself."""
    if kind is Path:
        return Path(value).expanduser().absolute()
    if kind in {SmtpServer, Rate, SiteUrl, StorageUrl}:
        return kind(value)
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"expected a time zone like Europe/Berlin, not `{value}`") from None


def _content(name: str, path: str) -> str:
    """What the file holds, without the end of its last line."""
    try:
        return Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{name}_FILE is wrong: {path} cannot be read ({error}).")


def read_settings(environment: dict[str, str]) -> Settings:
    """Settings of an environment; an empty variable counts as unset, NAME_FILE holds a path.

    Raises SystemExit with a sentence that names the variable and what it expects.
    """
    given = {name: value for name, value in environment.items() if value != ""}
    for field in msgspec.structs.fields(Settings):
        if path := given.get(f"{field.encode_name}_FILE"):
            if field.encode_name in given:
                sys.exit(f"Set {field.encode_name} or {field.encode_name}_FILE, not both.")
            given[field.encode_name] = _content(field.encode_name, path)
    try:
        return msgspec.convert(given, Settings, strict=False, dec_hook=_from_text)
    except msgspec.ValidationError as error:
        reason, _, variable = str(error).partition(" - at `$.")
        name = variable.rstrip("`") or "A setting"
        kinds = {field.encode_name: field.type for field in msgspec.structs.fields(Settings)}
        sys.exit(f"{name} is wrong: {choices(kinds.get(name)) or reason[:1].lower() + reason[1:]}.")


settings = read_settings(dict(os.environ))
