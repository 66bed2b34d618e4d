"""What a dialect is."""

import msgspec
from litestar import Controller
from litestar.types import ControllerRouterHandler

# Under this key each handler's `opt` says which operation of ours it stands for; docs/dialects.md
# is made of it.
CANONICAL = "canonical"
# What those say that stand for no operation of ours.
NONE = "none"


class Dialect(msgspec.Struct, frozen=True):
    """The wire of one older backend: its name in DIALECTS, and its routes.

    Routes that several dialects share stand in each of them and are served once. One whose paths
    are ours says which controllers it `replaces`.
    """

    name: str
    routes: tuple[ControllerRouterHandler, ...]
    replaces: tuple[type[Controller], ...] = ()
