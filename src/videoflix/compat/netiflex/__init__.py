"""The dialect `netiflex`: opaque tokens at the root paths, guests, `/api/videos/` with genres."""

from videoflix.compat.dialect import Dialect
from videoflix.compat.netiflex.auth import AuthController
from videoflix.compat.netiflex.pages import show_page
from videoflix.compat.netiflex.registration import RegistrationController
from videoflix.compat.videos import RootController, VideosController

NETIFLEX = Dialect(
    "netiflex",
    (RegistrationController, AuthController, show_page, VideosController, RootController),
)
