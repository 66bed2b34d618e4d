"""The dialect `netiflex`: opaque tokens at the root paths, guests, `/api/videos/` with genres."""

from videoflix.compat.dialect import Dialect
from videoflix.compat.netiflex.auth import AuthController
from videoflix.compat.netiflex.coverage import show_coverage
from videoflix.compat.netiflex.registration import RegistrationController
from videoflix.compat.pages import DOCUMENT, REDOC, SWAGGER, redirects
from videoflix.compat.videos import RootController, VideosController

PAGES = {"/swagger": SWAGGER, "/swagger.json": DOCUMENT, "/redoc": REDOC}
NETIFLEX = Dialect(
    "netiflex",
    (
        RegistrationController,
        AuthController,
        redirects(PAGES),
        show_coverage,
        VideosController,
        RootController,
    ),
)
