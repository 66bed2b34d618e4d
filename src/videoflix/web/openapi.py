"""The API documentation pages, from vendored files: they render without internet access."""

from typing import Any

from litestar import Request
from litestar.datastructures import MutableScopeHeaders
from litestar.openapi.plugins import (
    JsonRenderPlugin,
    RedocRenderPlugin,
    SwaggerRenderPlugin,
    YamlRenderPlugin,
)
from litestar.types import Message, Scope

SWAGGER = "/assets/vendor/swagger-ui-dist-5.35.0"
REDOC = "/assets/vendor/redoc-2.5.4/redoc.standalone.js"
ICON = '<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">'


class FilteredSwagger(SwaggerRenderPlugin):
    """Swagger UI with a filter of tags, which remembers the authorization."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        page = super().render(request, openapi_schema)
        options = b"filter: true, persistAuthorization: true, displayRequestDuration: true, "
        return page.replace(b"deepLinking: true", options + b"deepLinking: true", 1)


render_plugins = (
    FilteredSwagger(
        js_url=f"{SWAGGER}/swagger-ui-bundle.js",
        css_url=f"{SWAGGER}/swagger-ui.css",
        standalone_preset_js_url=f"{SWAGGER}/swagger-ui-standalone-preset.js",
        favicon=ICON,
    ),
    RedocRenderPlugin(js_url=REDOC, google_fonts=False, favicon=ICON),
    JsonRenderPlugin(),
    YamlRenderPlugin(),
)

# The pages use an inline script; everything they load must come from our own origin.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; frame-ancestors 'none'"
)


async def add_docs_policy(message: Message, scope: Scope) -> None:
    """Set a Content-Security-Policy on the documentation pages that excludes other hosts."""
    if message["type"] == "http.response.start" and scope["path"].startswith("/schema"):
        headers = MutableScopeHeaders.from_message(message)
        headers["Content-Security-Policy"] = DOCS_POLICY
        headers["X-Content-Type-Options"] = "nosniff"
