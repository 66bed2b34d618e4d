"""The dialect `academy`: HttpOnly cookies, a playlist per resolution, watchlist, history."""

from videoflix.compat.academy.auth import AuthController
from videoflix.compat.academy.history import HistoryController
from videoflix.compat.academy.playback import PlaybackController
from videoflix.compat.academy.registration import RegistrationController
from videoflix.compat.academy.users import UserController
from videoflix.compat.academy.videos import VideoController
from videoflix.compat.academy.watchlist import EntryController, WatchlistController
from videoflix.compat.categories import CategoryController
from videoflix.compat.dialect import Dialect
from videoflix.compat.pages import JOB_MONITOR, redirects
from videoflix.compat.videos import RootController

ACADEMY = Dialect(
    "academy",
    (
        AuthController,
        RegistrationController,
        UserController,
        CategoryController,
        VideoController,
        PlaybackController,
        WatchlistController,
        EntryController,
        HistoryController,
        RootController,
        redirects({"/django-rq": JOB_MONITOR}),
    ),
)
