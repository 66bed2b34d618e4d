"""The dialect `movies`: the paths are those of /api/v1, the errors Django REST framework's.

It replaces the native routes of movies and tokens, so it is only enabled if DIALECTS names it.
"""

from videoflix.compat.dialect import Dialect
from videoflix.compat.movies.ratings import OlderRatingController
from videoflix.compat.movies.registration import RegisterController
from videoflix.compat.movies.search import OlderMovieController
from videoflix.compat.movies.tokens import OlderTokenController
from videoflix.compat.pages import DOCUMENT, REDOC, SWAGGER, redirects
from videoflix.movies.api.movies import MovieController
from videoflix.movies.api.ratings import MovieRatingController
from videoflix.sessions.api.tokens import TokenController

PAGES = {
    "/api/schema": DOCUMENT,
    "/api/schema/swagger-ui": SWAGGER,
    "/api/schema/redoc": REDOC,
}

MOVIES = Dialect(
    "movies",
    (
        RegisterController,
        OlderTokenController,
        OlderMovieController,
        OlderRatingController,
        redirects(PAGES),
    ),
    replaces=(TokenController, MovieController, MovieRatingController),
)
