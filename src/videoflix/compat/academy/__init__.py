"""The dialect `academy`: HTTP-only cookies, a playlist for each resolution, watchlist, history."""

from videoflix.compat.academy.entrance import EntranceController
from videoflix.compat.academy.films import FilmController
from videoflix.compat.academy.history import HistoryController
from videoflix.compat.academy.letters import LetterController
from videoflix.compat.academy.people import PersonController
from videoflix.compat.academy.playing import PlayingController
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
