"""The HTTP application: all controllers, plugins and error handlers."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from advanced_alchemy.exceptions import RepositoryError
from advanced_alchemy.extensions.litestar import SQLAlchemyPlugin
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException, NotFoundException, ValidationException
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.routes import HTTPRoute
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from videoflix.accounts.api import MeController
from videoflix.audit.api import ActivityController, AuditController, provide_session
from videoflix.backup.api import ArchiveController
from videoflix.billing.api import InvoiceController, OwnInvoiceController
from videoflix.catalog.api.categories import CategoryController, CategoryVideoController
from videoflix.catalog.api.chapters import ChapterController
from videoflix.catalog.api.editing import VideoEditingController
from videoflix.catalog.api.subtitles import SubtitleController, SubtitleEditingController
from videoflix.catalog.api.videos import VideoController
from videoflix.cli import OperatorCommands
from videoflix.compat.drf.errors import method_not_allowed
from videoflix.compat.registry import dialect_routes, replaced_by
from videoflix.job_monitor.api import JobController
from videoflix.library.api.dependencies import counting_views
from videoflix.library.api.history import HistoryController, ProgressController
from videoflix.library.api.votes import VoteController, VotesController
from videoflix.library.api.watchlist import WatchlistController
from videoflix.media.api.encoding import EncodingController
from videoflix.media.api.posters import PosterEditingController
from videoflix.media.api.uploads import AssetController, UploadController
from videoflix.memberships.api import MembershipController, PlanController
from videoflix.metrics.api import MetricsController
from videoflix.movies.api.movies import MovieController
from videoflix.movies.api.public import PublicMovieController
from videoflix.movies.api.ratings import MovieRatingController
from videoflix.movies.providers.registry import check_provider, provider_lifespan
from videoflix.operations.api import (
    ExportController,
    HealthController,
    OperationsController,
    UserLibraryController,
)
from videoflix.platform.auth.identity import IdentityMiddleware, current_user
from videoflix.platform.auth.revocations import ended_streams, revocations
from videoflix.platform.http.cors import cors
from videoflix.platform.http.database_errors import database_error_response
from videoflix.platform.http.head import HeadMiddleware
from videoflix.platform.http.json_body import StrictRequest
from videoflix.platform.http.openapi import DocumentConfig, LimitedValues, StrictStructs
from videoflix.platform.http.params import BodyGate
from videoflix.platform.http.token_cors import TOKEN_CORS, TokenCorsMiddleware
from videoflix.platform.loading import collection_paused
from videoflix.platform.observability.access_log import AccessLogMiddleware
from videoflix.platform.observability.logs import StructuredLogs
from videoflix.platform.postgres.notify import event_bus
from videoflix.platform.postgres.session import alchemy
from videoflix.platform.problems import (
    Problem,
    database_response,
    http_error_response,
    internal_error_response,
    problem_response,
    unreadable_response,
    validation_response,
)
from videoflix.platform.process.sandbox import protect_memory
from videoflix.platform.rate_limit.middleware import RateLimitDocs, RateLimitMiddleware
from videoflix.platform.server.shutdown import shutdown
from videoflix.platform.storage.installation import claiming_storage
from videoflix.platform.storage.signed_urls import check_delivery
from videoflix.playback.api.chapters import ChapterTrackController
from videoflix.playback.api.downloads import DownloadController
from videoflix.playback.api.manifests import ManifestController
from videoflix.playback.api.playback import PlaybackController
from videoflix.playback.api.posters import PosterController
from videoflix.playback.api.streams import OwnMembershipController, StreamController
from videoflix.playback.api.subtitles import SubtitleRenditionController
from videoflix.playback.service.streams import recently_ended_streams
from videoflix.profiles.api import ProfileController
from videoflix.profiles.service import viewer_cache
from videoflix.registration.api import AccountDeletionController, RegistrationController
from videoflix.series.api import (
    MarkerController,
    NextEpisodeController,
    SeriesController,
    SeriesEditingController,
)
from videoflix.sessions.api.api_tokens import ApiTokenController
from videoflix.sessions.api.cookies import CookieSessionController
from videoflix.sessions.api.tokens import AuthController, TokenController
from videoflix.sessions.service.opaque_tokens import opaque_tokens
from videoflix.sessions.service.sessions import recently_ended
from videoflix.settings import settings
from videoflix.uploads.api.imports import ImportController, UploadEventController
from videoflix.uploads.api.links import LinkedUploadController, UploadLinkController
from videoflix.uploads.api.middleware import TusMiddleware
from videoflix.uploads.api.uploads import ResumableUploadController
from videoflix.user_admin.api import UserController
from videoflix.web.api import page_handlers, path_not_found
from videoflix.web.openapi import add_docs_policy, render_plugins
from videoflix.webhooks.api.documentation import documented_webhooks
from videoflix.webhooks.api.webhooks import WebhookController

CONTROLLERS = [
    TokenController,
    AuthController,
    CookieSessionController,
    RegistrationController,
    MeController,
    AccountDeletionController,
    ApiTokenController,
    ActivityController,
    ExportController,
    UserController,
    UserLibraryController,
    AuditController,
    ProfileController,
    VideoController,
    CategoryVideoController,
    CategoryController,
    VideoEditingController,
    ChapterController,
    SeriesController,
    SeriesEditingController,
    NextEpisodeController,
    MarkerController,
    SubtitleController,
    SubtitleEditingController,
    UploadController,
    EncodingController,
    PosterEditingController,
    ResumableUploadController,
    UploadEventController,
    ImportController,
    UploadLinkController,
    LinkedUploadController,
    AssetController,
    WatchlistController,
    HistoryController,
    ProgressController,
    VoteController,
    VotesController,
    MovieController,
    MovieRatingController,
    PlaybackController,
    PosterController,
    ChapterTrackController,
    ManifestController,
    SubtitleRenditionController,
    DownloadController,
    StreamController,
    OwnMembershipController,
    PlanController,
    OwnInvoiceController,
    InvoiceController,
    MembershipController,
    OperationsController,
    JobController,
    ArchiveController,
    WebhookController,
]

# In the order of the API documentation.
TAGS = (
    "Accounts",
    "People",
    "Operations",
    "Profiles",
    "Catalogue",
    "Editing",
    "Playback",
    "Media",
    "Uploads",
    "Library",
    "Movies",
    "Memberships",
    "Invoices",
    "Jobs",
    "Webhooks",
    "Health",
)


async def read_revocations() -> None:
    """Load revoked sessions and streams after (re)connecting."""
    revocations.add(await recently_ended())
    ended_streams.add(await recently_ended_streams())
    viewer_cache.on_notify("")


@asynccontextmanager
async def listening(_: Litestar) -> AsyncGenerator[None]:
    """Listen to notifications and shutdown signals while the application runs."""
    event_bus.on_connect(read_revocations)
    with shutdown.listening():
        async with event_bus.listening():
            yield


@asynccontextmanager
async def claiming_media_storage(_: Litestar) -> AsyncGenerator[None]:
    """Verify the media storage before anything is written to it."""
    async with claiming_storage():
        yield


def _document() -> DocumentConfig:
    return DocumentConfig(
        title="Videoflix",
        version=version("videoflix"),
        description="The backend of a streaming site on one Postgres.",
        render_plugins=render_plugins,
        use_handler_docstrings=True,
        security=[{"bearer": []}],
        tags=[Tag(name) for name in TAGS],
        webhooks=documented_webhooks(),
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
            }
        ),
    )


@collection_paused()
def create_app() -> Litestar:
    check_provider()
    check_delivery()
    protect_memory()
    replaced = replaced_by(settings.dialect_names)
    app = Litestar(
        request_class=StrictRequest,
        route_handlers=[
            Router("/api/v1", route_handlers=[one for one in CONTROLLERS if one not in replaced]),
            HealthController,
            MetricsController,
            *dialect_routes(settings.dialect_names),
            PublicMovieController,
            *page_handlers,
        ],
        dependencies={"session": Provide(provide_session), "user": Provide(current_user)},
        middleware=[
            RateLimitMiddleware(opaque_tokens.cached),
            IdentityMiddleware(opaque_tokens.holder_of),
            BodyGate(),
        ],
        cors_config=cors(settings.origins),
        exception_handlers={
            Problem: problem_response,
            ValidationException: validation_response,
            HTTPException: http_error_response,
            NotFoundException: path_not_found,
            OperationalError: database_response,
            InterfaceError: database_response,
            PoolTimeoutError: database_response,
            DBAPIError: database_error_response,
            ProgrammingError: database_error_response,
            RepositoryError: database_error_response,
            OSError: database_response,
            RecursionError: unreadable_response,
            UnicodeError: unreadable_response,
            Exception: internal_error_response,
        },
        plugins=[
            SQLAlchemyPlugin(config=alchemy),
            OperatorCommands(),
            RateLimitDocs(),
            LimitedValues(),
            StrictStructs(),
        ],
        lifespan=[listening, claiming_media_storage, counting_views, provider_lifespan],
        before_send=[add_docs_policy],
        logging_config=StructuredLogs(),
        openapi_config=_document(),
    )
    with_cors = TokenCorsMiddleware(app.asgi_handler, _token_cors_of(app), app.cors_config)
    with_tus = TusMiddleware(HeadMiddleware(with_cors), "/api/v1/uploads")
    app.asgi_handler = AccessLogMiddleware(with_tus, _methods_of(app))
    return app


def _token_cors_of(app: Litestar) -> set[str]:
    """Return the path templates whose handlers have TOKEN_CORS."""
    return {
        route.path_format
        for route in app.routes
        if isinstance(route, HTTPRoute)
        and any(TOKEN_CORS.items() <= handler.opt.items() for handler in route.route_handlers)
    }


def _methods_of(app: Litestar) -> dict[str, set[str]]:
    """Return the methods of each path template, which several controllers may share."""
    found: dict[str, set[str]] = {}
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            refused = {
                method
                for method, handler in app.route_handler_method_map[route.path].items()
                if handler.fn is method_not_allowed
            }
            found.setdefault(route.path_format, set()).update(route.methods - refused)
    return found
