"""The definition of a dialect."""

import msgspec
from litestar import Controller
from litestar.types import ControllerRouterHandler

# Key in a handler's `opt` with the canonical operation it maps to; docs/dialects.md is generated
# from it.
CANONICAL = "canonical"
# Value for handlers without a canonical operation.
NONE = "none"


class Dialect(msgspec.Struct, frozen=True):
    """The API of one older backend: its name in DIALECTS, and its routes.

    Routes shared by several dialects are listed in each and served once. A dialect that uses our
    own paths lists the controllers it `replaces`.
    """

    name: str
    routes: tuple[ControllerRouterHandler, ...]
    replaces: tuple[type[Controller], ...] = ()
