"""Settings: each field is an environment variable of the same name."""

import os
import sys
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import msgspec

from videoflix.setting_types import (
    Preset,
    Rate,
    SiteUrl,
    SmtpServer,
    choices,
    default_home,
    file_content,
    from_text,
    networks,
    socket_directory,
)
from videoflix.storage_settings import StorageSettings

Positive = Annotated[int, msgspec.Meta(ge=1)]
ProxyKey = Annotated[str, msgspec.Meta(min_length=32)]
MiB = 1024 * 1024


class Settings(StorageSettings, frozen=True, kw_only=True, rename=str.upper):
    """The effective settings, read once at start from the environment.

    Each field's comment is its documentation, repeated in `.env.template` and docs/configure.md.
    """

    # Folder of the embedded database, media, keys and logs.
    videoflix_home: Path = msgspec.field(default_factory=default_home)
    # postgresql://user:password@host/name; unset, the embedded Postgres under VIDEOFLIX_HOME.
    database_url: str = ""
    # Database address without a pooler, for LISTEN and migrations; unset, DATABASE_URL.
    database_listen_url: str = ""
    # Whether DATABASE_URL leads to a pooler like PgBouncer: transaction, none, or auto to detect
    # it.
    database_pooler: Literal["auto", "none", "transaction"] = "auto"
    # Maximum number of Postgres connections of each process.
    database_pool_size: Positive = 10
    # Public URL of the site, used in links and for cookies.
    site_url: SiteUrl = SiteUrl("http://127.0.0.1:8000")
    # Signs tokens; at least 32 characters. Unset, a random key stored in VIDEOFLIX_HOME.
    secret_key: str = ""
    # Earlier values of SECRET_KEY, separated by commas; their tokens stay valid until expiry.
    previous_secret_keys: str = ""
    # Origins of front ends that may call the API from browsers with cookies, separated by commas,
    # such as https://films.example.
    cors_origins: str = ""
    # APIs of older backends to serve, separated by commas; none turns them off. There is also
    # movies, which changes the errors of /api/v1/movies.
    dialects: str = "academy,netiflex,authemail,streaming"
    # Key of at least 32 characters that a proxy sends as X-Videoflix-Proxy-Key to let clients of
    # the dialect streaming in without a sign-in; unset, they need an administrator's sign-in.
    streaming_dialect_trusted_proxy_key: ProxyKey | None = None
    # Whether the dialects reveal which addresses have an account, like the older backends: true or
    # false.
    dialects_reveal_accounts: bool = False
    # Whether authemail changes password and address without the current password: true or false.
    dialects_trust_sign_in: bool = False
    # Proxies whose X-Forwarded-For is trusted: addresses or networks, separated by commas.
    trusted_proxies: str = ""
    # Maximum number of connections of each API process; a new one evicts the longest idle one.
    http_connections: Positive = 1000
    # Maximum number of connections per client address; TRUSTED_PROXIES are not limited.
    http_connections_per_client: Positive = 200
    # Timeout for receiving a request's headers, in seconds.
    http_header_seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = 10.0
    # Keep-alive timeout between two requests, in seconds.
    http_idle_seconds: Annotated[int, msgspec.Meta(ge=1, le=600)] = 15
    # Period in seconds over which clients have to send a body, or read a response, at 500 bytes per
    # second on average; slower ones are disconnected.
    http_stall_seconds: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 30.0
    # How long the API keeps serving after SIGTERM while /health/ready fails, in seconds.
    http_drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = 0.0
    # How long running requests, such as uploads, may take to complete during shutdown, in seconds.
    http_shutdown_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 20
    # Format of logs: json, console, or auto: console in a terminal, otherwise json.
    log_format: Literal["auto", "json", "console"] = "auto"
    # Minimum level of logs: DEBUG, INFO, WARNING or ERROR; INFO includes a line for each request.
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    # Bearer token for /metrics and /health/details; unset, /metrics is off.
    metrics_token: str = ""
    # Rate limit of requests without a sign-in, per client address: a rate like 60/min, or off.
    throttle_anon: Rate = Rate("60/min")
    # Rate limit of requests per signed-in user: a rate like 300/min, or off.
    throttle_user: Rate = Rate("300/min")
    # Rate limit of uploaded files per user: a rate like 120/hour, or off.
    throttle_upload: Rate = Rate("120/hour")
    # Lifetime of an access token, in seconds.
    access_token_seconds: Positive = 15 * 60
    # How long a user stays signed in, in seconds.
    refresh_token_seconds: Positive = 30 * 24 * 3600
    # Minimum length of passwords; 15 is recommended, older front ends expect 8.
    password_min: Annotated[int, msgspec.Meta(ge=8, le=64)] = 8
    # Whether visitors can sign in as guests, who are deleted after a day: true or false.
    guest_login: bool = False
    # smtp://user:password@host:587 (STARTTLS) or smtps://…; unset, mails are only stored, see
    # /mail.
    smtp_url: SmtpServer | None = None
    # Sender address of mails; unset, noreply at the host of SITE_URL.
    mail_from: str = ""
    # Name of the site in mails.
    site_name: str = "Videoflix"
    # Whether new accounts have to confirm their e-mail address: true or false.
    activation_required: bool = True
    # How long a link to confirm an address is valid, in seconds.
    activation_seconds: Positive = 3 * 24 * 3600
    # How long a link to choose a new password is valid, in seconds.
    password_reset_seconds: Positive = 3600
    # Page that links to confirm an address open, with {uid} and {token}; unset, our own.
    activation_url: str = ""
    # Page that links to choose a new password open; unset, our own.
    password_reset_url: str = ""
    # Page that links to confirm a changed address open; unset, our own.
    email_confirm_url: str = ""
    # Provider of the movie search: catalog (our own videos) or november7.
    movies_provider: str = "catalog"
    # URL of the provider november7, such as https://movies.example.
    movies_url: str = ""
    # Timeout of requests to the movie provider, in seconds.
    movies_timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=30)] = 3.0
    # Maximum number of concurrent requests of each process to the movie provider.
    movies_in_flight: Positive = 10
    # Whether visitors can list public films with posters at /movies: true or false.
    public_catalogue: bool = True
    # How long a playback link is valid, in seconds.
    play_token_seconds: Positive = 6 * 3600
    # Size of the cache of segment indexes and playlists in each process, in bytes; a two-hour video
    # with six renditions takes about 0.7 MiB.
    playback_cache_bytes: Annotated[int, msgspec.Meta(ge=MiB)] = 32 * MiB
    # How long a stream counts as active after its last heartbeat, in seconds.
    stream_lease_seconds: Annotated[int, msgspec.Meta(ge=15, le=3600)] = 90
    # The ffmpeg program to use; unset, the one of the installed wheel, then the one on PATH.
    ffmpeg_path: Path | None = None
    # Days for which the file of a rejected video is kept and can be retried.
    rejected_source_days: Positive = 7
    # Hours for which the processing of a video waits for a faulty machine; then the video fails,
    # its file is kept, and it can be retried.
    stall_max_hours: Positive = 7 * 24
    # Isolation of programs that read uploads: auto (as much as the kernel supports), require (no
    # encoding without isolation of network and files), or off.
    sandbox: Literal["auto", "require", "off"] = "auto"
    # Further files and folders those programs may read, separated by commas, such as the libraries
    # of an FFMPEG_PATH outside /usr.
    sandbox_readable: str = ""
    # Maximum size of an uploaded file, in bytes.
    upload_max_bytes: Positive = 20 * 1024 * MiB
    # Hours after its last byte for which an unfinished upload can be resumed.
    upload_expiry_hours: Positive = 48
    # Maximum number of unfinished uploads per user.
    uploads_unfinished_max: Positive = 100
    # Maximum number of resumable uploads per user within a day; 0: no limit.
    uploads_daily_max: Annotated[int, msgspec.Meta(ge=0)] = 0
    # Maximum size of a user's resumable uploads within a day, in bytes; 0: no limit.
    uploads_daily_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0
    # Maximum size of all users' resumable uploads within a day, in bytes; 0: no limit.
    uploads_daily_total_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0
    # Networks that files may be imported from although not public, by commas, such as 10.1.2.0/24.
    import_allowed_networks: str = ""
    # Networks that webhooks may be sent to although they are not public, separated by commas.
    webhook_allowed_networks: str = ""
    # Days after which events and their deliveries to webhooks are deleted.
    webhook_log_days: Positive = 30
    # Number of exports of the installation to keep; older ones are deleted.
    exports_kept: Positive = 8
    # Maximum duration of a video, in seconds.
    film_max_seconds: Positive = 6 * 3600
    # Maximum frame size that is decoded, in pixels (8192 x 4320 fits).
    film_max_pixels: Positive = 40_000_000
    # Number of transcode workers of `videoflix up`; 0: one per core, at most four.
    transcode_workers: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    # Seconds without a heartbeat after which a worker's jobs are requeued.
    worker_stall_seconds: Annotated[float, msgspec.Meta(ge=1.5)] = 30.0
    # Seconds that running jobs may take to complete when a worker is stopped; then they are
    # requeued.
    worker_grace_seconds: Annotated[float, msgspec.Meta(ge=0)] = 15.0
    # Maximum delay between retries of a job during a machine fault (full disk, unavailable storage,
    # broken ffmpeg), in seconds; these retries do not count as attempts.
    fault_backoff_seconds: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 60.0
    # Number of different videos or kinds of jobs that have to fail in a row before a worker stops
    # fetching from their queue until its self-tests pass.
    worker_breaker_failures: Positive = 3
    # Days after which finished jobs are deleted.
    jobs_done_days: Positive = 1
    # Days after which failed jobs are deleted, with their incidents.
    jobs_failed_days: Positive = 30
    # Time zone of scheduled jobs, such as Europe/Berlin.
    time_zone: ZoneInfo = ZoneInfo("UTC")
    # Whether videos are also stored as MP4 files, which double the space, for players without HLS:
    # true or false.
    mp4_files: bool = True
    # x264 preset: from ultrafast (large files) to veryslow (small ones).
    x264_preset: Preset = "veryfast"
    # x264 constant rate factor: lower means better quality and larger files; 18 to 28 are usual.
    x264_crf: Annotated[int, msgspec.Meta(ge=0, le=51)] = 23

    @property
    def database_dsn(self) -> str:
        """DATABASE_URL, or the embedded server's socket if it is unset."""
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
        """The networks of TRUSTED_PROXIES. Raises SystemExit with a message."""
        return networks(self.trusted_proxies)

    @property
    def import_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of IMPORT_ALLOWED_NETWORKS. Raises SystemExit with a message."""
        return networks(self.import_allowed_networks, "IMPORT_ALLOWED_NETWORKS")

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
        """The domain of the sender address."""
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
        """Interval at which each worker searches for orphaned jobs."""
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

        Raises SystemExit with a message if it is missing, or too short for HS256.
        """
        key_file = self.videoflix_home / "secret_key"
        if self.secret_key:
            key = self.secret_key
        elif key_file.exists():
            key = key_file.read_text().strip()
        else:
            sys.exit("SECRET_KEY is not set: set it to at least 32 random characters.")
        if len(key) < 32:
            sys.exit("SECRET_KEY is too short: it needs at least 32 characters.")
        return key

    @property
    def earlier_keys(self) -> list[str]:
        """The secrets of PREVIOUS_SECRET_KEYS."""
        return [part.strip() for part in self.previous_secret_keys.split(",") if part.strip()]


def read_settings(environment: dict[str, str]) -> Settings:
    """Read the settings; empty variables count as unset, NAME_FILE contains a path.

    Raises SystemExit with a message that names the variable and the expected values.
    """
    given = {name: value for name, value in environment.items() if value != ""}
    for field in msgspec.structs.fields(Settings):
        if path := given.get(f"{field.encode_name}_FILE"):
            if field.encode_name in given:
                sys.exit(f"Set {field.encode_name} or {field.encode_name}_FILE, not both.")
            given[field.encode_name] = file_content(field.encode_name, path)
    try:
        return msgspec.convert(given, Settings, strict=False, dec_hook=from_text)
    except msgspec.ValidationError as error:
        reason, _, variable = str(error).partition(" - at `$.")
        name = variable.rstrip("`") or "A setting"
        kinds = {field.encode_name: field.type for field in msgspec.structs.fields(Settings)}
        sys.exit(f"{name} is wrong: {choices(kinds.get(name)) or reason[:1].lower() + reason[1:]}.")


settings = read_settings(dict(os.environ))
