"""Cross-origin requests (CORS): who may send them, and which headers they may use."""

from litestar.config.cors import CORSConfig

# Custom request headers that CORS allows.
OUR_HEADERS = ("x-csrftoken", "x-profile")
# Headers of resumable uploads.
UPLOAD_HEADERS = (
    "tus-resumable",
    "upload-complete",
    "upload-concat",
    "upload-defer-length",
    "upload-length",
    "upload-metadata",
    "upload-offset",
)
UPLOAD_RESPONSE_HEADERS = (
    "tus-checksum-algorithm",
    "tus-extension",
    "tus-max-size",
    "tus-version",
    "upload-expires",
    "upload-limit",
    *UPLOAD_HEADERS,
)
RATE_HEADERS = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")


def cors(origins: list[str]) -> CORSConfig | None:
    """Allow these origins; without any, requests of other origins have no permission."""
    if not origins:
        return None
    return CORSConfig(
        allow_origins=origins,
        allow_credentials=True,
        allow_headers=[
            "authorization",
            "content-type",
            "idempotency-key",
            "if-none-match",
            "range",
            "x-request-id",
            "content-disposition",
            "upload-checksum",
            "x-http-method-override",
            *OUR_HEADERS,
            *UPLOAD_HEADERS,
        ],
        expose_headers=[
            "content-disposition",
            "content-length",
            "content-range",
            "etag",
            "location",
            "retry-after",
            "x-request-id",
            *RATE_HEADERS,
            *UPLOAD_RESPONSE_HEADERS,
        ],
    )
