from litestar.openapi.plugins import SwaggerRenderPlugin

render_plugins = (SwaggerRenderPlugin(),)
