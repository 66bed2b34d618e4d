"""The dialect `netiflex`: Opaque tokens at the root paths, guests, `/api/videos/` with genres."""

from videoflix.compat.dialect import Dialect

NETIFLEX = Dialect("netiflex", ())
