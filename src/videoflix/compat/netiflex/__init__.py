"""The dialect `netiflex`: opaque tokens at the root paths, guests, `/api/videos/` with genres."""

from videoflix.compat.dialect import Dialect
from videoflix.compat.netiflex.auth import EntranceController
from videoflix.compat.netiflex.pages import show_page
from videoflix.compat.netiflex.registration import LetterController
from videoflix.compat.videos import RootController, VideosController

NETIFLEX = Dialect(
    "netiflex",
    (LetterController, EntranceController, show_page, VideosController, RootController),
)
