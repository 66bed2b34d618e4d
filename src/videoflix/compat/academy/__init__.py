"""The dialect `academy`: HTTP-only cookies, a playlist for each resolution, watchlist, history."""

from videoflix.compat.academy.auth import EntranceController
from videoflix.compat.academy.history import HistoryController
from videoflix.compat.academy.playback import PlayingController
from videoflix.compat.academy.registration import LetterController
from videoflix.compat.academy.users import PersonController
from videoflix.compat.academy.videos import FilmController
from videoflix.compat.academy.watchlist import EntryController, WatchlistController
from videoflix.compat.categories import CategoryController
from videoflix.compat.dialect import Dialect

ACADEMY = Dialect(
    "academy",
    (
        EntranceController,
        LetterController,
        PersonController,
        CategoryController,
        FilmController,
        PlayingController,
        WatchlistController,
        EntryController,
        HistoryController,
    ),
)
