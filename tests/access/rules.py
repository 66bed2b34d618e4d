"""Who may call which route: written by hand, so that a guard that goes missing is noticed.

Each level includes the ones above it in this file; API tokens are stopped at `IN_PERSON`, and
need the scope `write` for changes and `admin` for what administrators do.
"""

from enum import IntEnum


class Level(IntEnum):
    """The least that a caller must be."""

    PUBLIC = 0
    SIGNED_IN = 1
    IN_PERSON = 2
    EDITOR = 3
    ADMIN = 4
    OWNER = 5


RULES = {
    Level.PUBLIC: """
        POST /api/v1/auth/activate
        POST /api/v1/auth/activate/resend
        POST /api/v1/auth/email/confirm
        POST /api/v1/auth/guest
        POST /api/v1/auth/password/forgot
        POST /api/v1/auth/password/reset
        POST /api/v1/auth/refresh
        POST /api/v1/auth/register
        POST /api/v1/auth/session
        POST /api/v1/auth/session/guest
        POST /api/v1/auth/session/refresh
        DELETE /api/v1/auth/session
        POST /api/v1/auth/token
        POST /api/v1/auth/token/refresh
        POST /api/v1/auth/token/verify
        GET /health/live
        GET /health/ready
        GET /movies
    """,
    Level.SIGNED_IN: """
        GET /api/v1/categories
        GET /api/v1/categories/{category}
        GET /api/v1/categories/{category}/picture
        GET /api/v1/history
        DELETE /api/v1/history
        DELETE /api/v1/history/{video_id}
        GET /api/v1/invoices/{invoice}
        GET /api/v1/invoices/{invoice_id}/pdf
        GET /api/v1/me
        PATCH /api/v1/me
        GET /api/v1/me/activity
        GET /api/v1/me/invoices
        GET /api/v1/me/membership
        GET /api/v1/me/profiles
        POST /api/v1/me/profiles
        PATCH /api/v1/me/profiles/{profile_id}
        DELETE /api/v1/me/profiles/{profile_id}
        POST /api/v1/me/profiles/{profile_id}/unlock
        GET /api/v1/movies
        GET /api/v1/movies/{movie_id}
        GET /api/v1/movies/ratings
        POST /api/v1/movies/ratings
        GET /api/v1/movies/ratings/{rating_id}
        PUT /api/v1/movies/ratings/{rating_id}
        PATCH /api/v1/movies/ratings/{rating_id}
        DELETE /api/v1/movies/ratings/{rating_id}
        GET /api/v1/plans
        GET /api/v1/series
        GET /api/v1/series/{series_id}
        GET /api/v1/streams
        POST /api/v1/streams
        PUT /api/v1/streams/{stream_id}
        GET /api/v1/videos
        GET /api/v1/videos/by-category
        GET /api/v1/videos/by-slug/{slug}
        GET /api/v1/videos/featured
        GET /api/v1/videos/newest
        GET /api/v1/videos/suggest
        GET /api/v1/videos/{video_id}
        GET /api/v1/videos/{video_id}/chapters
        GET /api/v1/videos/{video_id}/files
        GET /api/v1/videos/{video_id}/next
        POST /api/v1/videos/{video_id}/play
        GET /api/v1/videos/{video_id}/progress
        PUT /api/v1/videos/{video_id}/progress
        GET /api/v1/videos/{video_id}/related
        GET /api/v1/videos/{video_id}/subtitles/{language}
        GET /api/v1/videos/{video_id}/vote
        PUT /api/v1/videos/{video_id}/vote
        DELETE /api/v1/videos/{video_id}/vote
        GET /api/v1/watchlist
        POST /api/v1/watchlist
        GET /api/v1/watchlist/contains
        DELETE /api/v1/watchlist/{video_id}
        PUT /api/v1/watchlist/{video_id}/position
    """,
    Level.IN_PERSON: """
        POST /api/v1/auth/email/change
        POST /api/v1/auth/logout
        POST /api/v1/auth/password/change
        GET /api/v1/auth/sessions
        DELETE /api/v1/auth/sessions/{sign_in_id}
        DELETE /api/v1/me
        GET /api/v1/me/export
        GET /api/v1/me/tokens
        POST /api/v1/me/tokens
        DELETE /api/v1/me/tokens/{token_id}
    """,
    Level.EDITOR: """
        POST /api/v1/videos/import
        GET /api/v1/upload-links
        POST /api/v1/upload-links
        DELETE /api/v1/upload-links/{link_id}
        GET /api/v1/uploads
        POST /api/v1/uploads
        GET /api/v1/uploads/{upload_id}
        PATCH /api/v1/uploads/{upload_id}
        DELETE /api/v1/uploads/{upload_id}
        POST /api/v1/series
        PATCH /api/v1/series/{series_id}
        DELETE /api/v1/series/{series_id}
        PUT /api/v1/series/{series_id}/seasons/{number}
        DELETE /api/v1/series/{series_id}/seasons/{number}
        PUT /api/v1/series/{series_id}/seasons/{number}/order
        PUT /api/v1/series/{series_id}/episodes/{video_id}
        DELETE /api/v1/series/{series_id}/episodes/{video_id}
        PUT /api/v1/videos/{video_id}/markers
        POST /api/v1/categories
        PATCH /api/v1/categories/{category}
        DELETE /api/v1/categories/{category}
        PUT /api/v1/categories/{category}/picture
        POST /api/v1/videos
        POST /api/v1/videos/bulk
        PATCH /api/v1/videos/{video_id}
        DELETE /api/v1/videos/{video_id}
        PUT /api/v1/videos/{video_id}/file
        POST /api/v1/videos/{video_id}/publish
        POST /api/v1/videos/{video_id}/restore
        POST /api/v1/videos/{video_id}/retry
        GET /api/v1/videos/{video_id}/sources
        GET /api/v1/videos/{video_id}/encoding
        POST /api/v1/videos/{video_id}/encoding/cancel
        POST /api/v1/videos/{video_id}/encoding/again
        POST /api/v1/videos/{video_id}/unpublish
        PUT /api/v1/videos/{video_id}/poster
        DELETE /api/v1/videos/{video_id}/poster
        GET /api/v1/videos/{video_id}/poster/candidates
        GET /api/v1/videos/{video_id}/poster/candidates/{number}
        PUT /api/v1/videos/{video_id}/poster/candidate
        PUT /api/v1/videos/{video_id}/chapters
        PUT /api/v1/videos/{video_id}/subtitles/{language}
        DELETE /api/v1/videos/{video_id}/subtitles/{language}
    """,
    Level.ADMIN: """
        GET /api/v1/assets
        GET /api/v1/audit
        GET /api/v1/invoices
        POST /api/v1/invoices
        GET /api/v1/invoices/export
        PATCH /api/v1/invoices/{invoice}
        DELETE /api/v1/invoices/{invoice}
        POST /api/v1/invoices/{invoice_id}/lines
        PATCH /api/v1/invoices/{invoice_id}/lines/{line_id}
        DELETE /api/v1/invoices/{invoice_id}/lines/{line_id}
        POST /api/v1/invoices/{invoice_id}/pay
        POST /api/v1/invoices/{invoice_id}/void
        GET /api/v1/memberships
        POST /api/v1/memberships
        PATCH /api/v1/memberships/{membership_id}
        DELETE /api/v1/memberships/{membership_id}
        POST /api/v1/memberships/{membership_id}/cancel
        GET /api/v1/operations/exports
        POST /api/v1/operations/exports
        GET /api/v1/operations/exports/{export_id}
        DELETE /api/v1/operations/exports/{export_id}
        GET /api/v1/operations/jobs
        GET /api/v1/operations/jobs/overview
        GET /api/v1/operations/jobs/{job_id}
        POST /api/v1/operations/jobs/{job_id}/cancel
        POST /api/v1/operations/jobs/{job_id}/retry
        POST /api/v1/operations/jobs/{job_id}/run
        POST /api/v1/operations/jobs/schedules/{kind}/run
        GET /api/v1/operations/mail
        GET /api/v1/operations/overview
        GET /api/v1/operations/settings
        POST /api/v1/plans
        PATCH /api/v1/plans/{plan_id}
        DELETE /api/v1/plans/{plan_id}
        GET /api/v1/streams/everybody
        GET /api/v1/users
        POST /api/v1/users
        GET /api/v1/users/{user_id}
        PATCH /api/v1/users/{user_id}
        POST /api/v1/users/{user_id}/activate
        POST /api/v1/users/{user_id}/deactivate
        POST /api/v1/users/{user_id}/password-link
        GET /api/v1/votes
        DELETE /api/v1/votes/{vote_id}
        GET /api/v1/webhooks/event-types
        GET /api/v1/webhooks/endpoints
        POST /api/v1/webhooks/endpoints
        GET /api/v1/webhooks/endpoints/{endpoint_id}
        PATCH /api/v1/webhooks/endpoints/{endpoint_id}
        DELETE /api/v1/webhooks/endpoints/{endpoint_id}
        POST /api/v1/webhooks/endpoints/{endpoint_id}/rotate-secret
        POST /api/v1/webhooks/endpoints/{endpoint_id}/test
        GET /api/v1/webhooks/endpoints/{endpoint_id}/deliveries
        POST /api/v1/webhooks/endpoints/{endpoint_id}/replay
        GET /api/v1/webhooks/deliveries/{delivery_id}
        POST /api/v1/webhooks/deliveries/{delivery_id}/replay
        GET /health/details
    """,
    Level.OWNER: """
        GET /api/v1/operations/exports/{export_id}/file
        GET /api/v1/users/{user_id}/library
    """,
}
# What carries its right in the address (tried film by film in test_films.py) or in a token of
# its own, never ends, or is for another kind of client.
ELSEWHERE = """
    GET /api/v1/videos/{video_id}/master.m3u8
    GET /api/v1/videos/{video_id}/manifest.mpd
    GET /api/v1/videos/{video_id}/assets/{asset_id}/{rendition}/iframes.m3u8
    GET /api/v1/videos/{video_id}/play/{token}/assets/{asset_id}/{rendition}/iframes.m3u8
    GET /api/v1/videos/{video_id}/assets/{asset_id}/{rendition}/index.m3u8
    GET /api/v1/videos/{video_id}/assets/{asset_id}/{rendition}/{file_name}
    GET /api/v1/videos/{video_id}/play/{token}/assets/{asset_id}/{rendition}/index.m3u8
    GET /api/v1/videos/{video_id}/play/{token}/assets/{asset_id}/{rendition}/{file_name}
    GET /api/v1/videos/{video_id}/subtitles/{language}/{digest}/{step}/index.m3u8
    GET /api/v1/videos/{video_id}/subtitles/{language}/{digest}/{step}/{file_name}
    GET /api/v1/videos/{video_id}/play/{token}/subtitles/{language}/{digest}/{step}/index.m3u8
    GET /api/v1/videos/{video_id}/play/{token}/subtitles/{language}/{digest}/{step}/{file_name}
    GET /api/v1/videos/{video_id}/files/{file_name}
    GET /api/v1/videos/{video_id}/poster.jpg
    GET /api/v1/videos/{video_id}/preview.webp
    GET /api/v1/videos/{video_id}/chapters.vtt
    GET /api/v1/videos/{video_id}/chapters.json
    GET /api/v1/videos/{video_id}/play/{token}/chapters.vtt
    GET /api/v1/videos/{video_id}/play/{token}/chapters.json
    DELETE /api/v1/streams/{stream_id}
    GET /api/v1/videos/{video_id}/events
    GET /api/v1/videos/{video_id}/encoding/events
    GET /api/v1/uploads/{upload_id}/events
    GET /api/v1/uploads/by-link/{token}
    POST /api/v1/uploads/by-link/{token}
    PATCH /api/v1/uploads/by-link/{token}/{upload_id}
    DELETE /api/v1/uploads/by-link/{token}/{upload_id}
    GET /api/v1/operations/jobs/events
    GET /metrics
    POST /api/v1/auth/logout/all
    GET /api/v1/uploads/by-link/{token}
    POST /api/v1/uploads/by-link/{token}
    PATCH /api/v1/uploads/by-link/{token}/{upload_id}
    DELETE /api/v1/uploads/by-link/{token}/{upload_id}
"""


def operations_in(listed: str) -> list[tuple[str, str]]:
    """Methods and paths, one a line."""
    return [(line.split()[0], line.split()[1]) for line in listed.split("\n") if line.strip()]


LEVELS = {
    operation: level for level, listed in RULES.items() for operation in operations_in(listed)
}
