"""What a dialect is."""

import msgspec
from litestar.types import ControllerRouterHandler


class Dialect(msgspec.Struct, frozen=True):
    """The wire of one older backend: its name in DIALECTS, and its routes.

    Routes that several dialects share stand in each of them and are served once. Each handler
    says in `opt={"canonical": "POST /api/v1/auth/login"}` which operation of ours it stands for.
    """

    name: str
    routes: tuple[ControllerRouterHandler, ...]
