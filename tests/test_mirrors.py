"""Where the tests of a source file are: in the file that mirrors it, or where this table says.

`media/ladder.py` is mirrored by `tests/media/test_ladder.py`, `catalog/repository/search.py` by
`tests/catalog/repository/test_search.py` or `tests/catalog/test_search.py`.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src" / "videoflix"
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef

# By file of tests: the source files that it covers, below a folder.
COVERED_BY: dict[str, tuple[str, str]] = {
    "access/test_routes.py": ("", "app library/api/dependencies"),
    "accounts/test_profile.py": ("accounts", "api models repository schemas service"),
    "audit/test_api.py": ("audit", "jobs repository service"),
    "backup/test_backup_page.py": ("backup", "api jobs schemas"),
    "backup/test_round_trip.py": (
        "",
        "backup/repository/restore backup/repository/tables cli/backups",
    ),
    "billing/test_api.py": ("billing", "invoice_pdf repository schemas service/invoices"),
    "operations/test_aborted_export.py": ("platform/http", "disconnect"),
    "billing/test_closing.py": ("billing", "jobs"),
    "catalog/test_api.py": ("catalog", "api/videos repository/videos schemas service/catalog"),
    "catalog/test_cache.py": ("catalog", "api/response_cache"),
    "catalog/test_editing.py": ("catalog", "api/categories jobs payloads pictures"),
    "catalog/test_lists.py": (
        "catalog",
        "repository/categories repository/filters repository/rows service/browse",
    ),
    "compat/test_academy.py": (
        "compat/academy",
        "auth playback registration serializers users",
    ),
    "compat/test_academy_library.py": ("compat/academy", "history watchlist"),
    "compat/test_foundation.py": (
        "compat",
        "basic_auth drf/errors drf/formats drf/parsing registry",
    ),
    "compat/test_movies.py": ("compat/movies", "ratings registration search"),
    "compat/test_movie_tokens.py": ("compat", "drf/simplejwt movies/tokens"),
    "compat/test_netiflex.py": ("compat/netiflex", "auth errors registration"),
    "compat/test_streaming.py": (
        "",
        "billing/service/corrections compat/streaming/access compat/streaming/checkins"
        " compat/streaming/invoice_lines compat/streaming/invoices",
    ),
    "compat/test_videos.py": ("compat", "categories video_object video_requests"),
    "database/test_address.py": ("platform/postgres", "connect engine parameters"),
    "database/test_errors.py": ("platform/http", "database_errors"),
    "database/test_start.py": ("platform/postgres", "session"),
    "importers/test_site_import.py": (
        "",
        "billing/service/past_invoices importers/repository importers/schemas"
        " importers/service/context importers/service/money importers/service/people"
        " importers/service/titles importers/service/viewing up/importers",
    ),
    "job_monitor/test_api.py": ("job_monitor", "repository service"),
    "library/test_api.py": (
        "library",
        "api/history api/votes api/watchlist jobs repository/records schemas service",
    ),
    "media/test_api.py": ("media", "api/uploads forms models multipart schemas service/assets"),
    "media/test_encode.py": ("media", "ffmpeg_process poster storyboard segment_index"),
    "media/test_failures.py": ("media", "self_tests unqueued jobs/faults jobs/reconcile"),
    "media/test_fsck.py": ("media", "inventory service/repair"),
    "media/test_jobs.py": ("media", "jobs/cleanup service/sweeping"),
    "media/test_audio_jobs.py": ("media", "service/publication"),
    "media/test_audio_tracks.py": ("playback", "service/alternatives"),
    "media/test_encoding.py": (
        "media",
        "jobs/encode_again",
    ),
    "media/test_first_chunk.py": ("media", "payloads"),
    "media/test_locks.py": ("media/repository", "assets chunks renditions"),
    "media/test_mp4_jobs.py": ("media", "preview"),
    "media/test_posters.py": (
        "",
        "catalog/models platform/http/preferences"
        " platform/pictures/picture_child platform/pictures/reencode platform/pictures/sizes"
        " playback/api/posters",
    ),
    "media/test_odd_recordings.py": ("media", "remux probe/clock"),
    "media/test_placement.py": ("media", "sample_run"),
    "media/test_index.py": ("media/probe", "sample_tables"),
    "media/test_probe.py": ("media/probe", "child rejection result source"),
    "memberships/test_api.py": ("memberships", "repository schemas service"),
    "metrics/test_api.py": ("metrics", "repository service"),
    "movies/test_outages.py": ("movies", "http_client providers/registry"),
    "movies/test_public.py": ("movies", "api/movies api/urls jobs providers/provider"),
    "movies/test_votes.py": ("movies", "api/ratings repository schemas"),
    "media/conformance/test_check.py": (
        "media/conformance",
        "findings measure measured media_rules timeline",
    ),
    "journeys/test_tracks.py": ("", "cli/hls up/hls_check"),
    "operations/test_api.py": ("operations", "health_checks repository service"),
    "platform/http/test_openapi.py": ("", "web/openapi"),
    "platform/http/test_security_headers.py": ("platform", "http/urls problems"),
    "platform/mail/test_jobs.py": ("platform/mail", "outbox"),
    "platform/observability/test_logs.py": (
        "platform/observability",
        "access_log log_handlers",
    ),
    "platform/postgres/test_embedded.py": ("platform/postgres", "binaries embedded_role"),
    "platform/process/test_run.py": ("platform/process", "launcher libc parent_death"),
    "platform/process/test_sandbox.py": ("platform/process", "landlock namespaces seccomp"),
    "platform/queue/test_enqueue.py": ("platform/queue", "job registry"),
    "platform/queue/test_fairness.py": ("platform/queue", "load"),
    "platform/queue/test_handlers.py": ("platform/queue", "app attempts batch outcomes"),
    "platform/queue/test_worker.py": ("platform/queue", "manager startup_signals"),
    "platform/queue/test_worker_breakers.py": ("platform/queue", "circuit_breaker self_tests"),
    "platform/server/test_protocol.py": ("platform/server", "connections serve"),
    "platform/storage/test_storage.py": (
        "platform/storage",
        "bucket errors installation local media_storage writing",
    ),
    "playback/test_delivery.py": ("platform", "http/delivery storage/signed_urls"),
    "playback/test_downloads.py": ("", "platform/http/download playback/service/implicit_leases"),
    "playback/test_revocation.py": (
        "",
        "platform/auth/revocations playback/service/access playback/service/play_tokens",
    ),
    "playback/test_segments.py": (
        "",
        "media/service/presentations playback/api/playback playback/service/playlists",
    ),
    "playback/test_chapters.py": (
        "",
        "catalog/api/chapters catalog/repository/chapters catalog/service/chapters",
    ),
    "playback/test_subtitles.py": (
        "",
        "catalog/api/subtitles catalog/repository/subtitles catalog/service/subtitles"
        " media/extract_subtitles media/jobs/subtitles",
    ),
    "playback/test_streams.py": (
        "",
        "platform/http/idempotency playback/jobs playback/repository playback/service/checkins",
    ),
    "profiles/test_api.py": (
        "profiles",
        "repository schemas service/profiles service/viewer_cache",
    ),
    "registration/test_api.py": ("registration", "jobs repository service"),
    "series/test_api.py": (
        "",
        "catalog/repository/episodes catalog/video_detail series/repository series/schemas"
        " series/service library/repository/continue_watching",
    ),
    "sessions/test_api.py": ("sessions", "api/login api/tokens jobs repository service/sessions"),
    "sessions/test_invented_tokens.py": ("sessions", "service/opaque_tokens"),
    "sessions/test_refresh.py": ("platform/auth", "identity"),
    "test_cli.py": ("", "up/admin up/users cli/processes cli/root cli/users"),
    "test_cli_jobs.py": ("", "cli/job_queue up/jobs"),
    "test_cli_storage.py": ("", "cli/media up/fsck up/media"),
    "test_cli_videos.py": ("up", "videos"),
    "test_docs.py": ("", "setting_types settings storage_settings"),
    "up/test_doctor.py": ("up", "checks health"),
    "up/test_storage_move.py": ("", "cli/storage"),
    "up/test_seed.py": ("", "cli/seed up/demo_people up/demo_videos up/sample"),
    "up/test_up.py": ("up", "bootstrap bootstrap_child run"),
    "backup/test_exports.py": ("up", "backup"),
    "uploads/test_tus.py": (
        "",
        "media/service/drafts uploads/api/documentation uploads/api/exchange"
        " uploads/api/requests uploads/api/responses uploads/api/uploads uploads/jobs"
        " uploads/models uploads/problems uploads/repository uploads/schemas"
        " uploads/service/finishing uploads/service/sweeping uploads/service/uploads",
    ),
    "uploads/test_links.py": ("uploads/api", "middleware"),
    "uploads/test_cuts.py": ("uploads/service", "receiving"),
    "uploads/test_upload_command.py": ("", "cli/upload up/upload"),
    "uploads/test_imports.py": (
        "",
        "platform/outbound/guarded_transport uploads/fetch uploads/source_url",
    ),
    "webhooks/test_api.py": (
        "webhooks",
        "api/documentation api/webhooks repository schemas service/endpoints service/sink",
    ),
    "webhooks/test_delivering.py": ("webhooks", "jobs sender signing"),
    "webhooks/test_events.py": (
        "",
        "accounts/events billing/events catalog/events memberships/events playback/events"
        " platform/events",
    ),
    "webhooks/test_listening.py": ("", "cli/webhooks up/webhooks"),
    "user_admin/test_api.py": ("user_admin", "schemas service"),
    "journeys/test_film.py": ("", "worker"),
}
TABLE = [
    (f"{folder}/{name}.py".lstrip("/"), test)
    for test, (folder, names) in COVERED_BY.items()
    for name in names.split()
]


def has_behaviour(path: Path) -> bool:
    return any(isinstance(node, FUNCTIONS) for node in ast.walk(ast.parse(path.read_text())))


def sources() -> list[str]:
    """The files with a function; what only declares tables or structs is checked by mypy."""
    files = sorted(path for path in SOURCE.rglob("*.py") if path.name != "__init__.py")
    return [str(path.relative_to(SOURCE)) for path in files if has_behaviour(path)]


def mirror(source: str) -> Path | None:
    """The file of tests with the name of a source file, in its folder or one above it."""
    path = Path(source)
    places = [TESTS / folder / f"test_{path.name}" for folder in path.parents]
    return next((place for place in places if place.exists()), None)


@pytest.mark.parametrize("source", sources())
def test_source_has_tests(source: str) -> None:
    if mirror(source) is None:
        assert source in dict(TABLE), "write tests, in the file that mirrors it if possible"


@pytest.mark.parametrize(("source", "test"), TABLE)
def test_table_is_true(source: str, test: str) -> None:
    assert (SOURCE / source).exists(), "it was renamed or removed"
    assert (TESTS / test).exists(), "it was renamed or removed"
    assert mirror(source) is None, "it has a mirror"


def test_table_names_a_source_once() -> None:
    assert len(TABLE) == len(dict(TABLE))
