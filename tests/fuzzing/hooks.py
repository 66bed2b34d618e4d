"""Loaded by schemathesis: signs every request in as the role of FUZZ_ROLE.

Each token belongs to a sign-in of its own, so that a request that signs out does not end the run.
"""

import os
import random
from typing import Any

import schemathesis

from videoflix.platform.tokens import Purpose, sign
from videoflix.settings import settings


@schemathesis.auth(refresh_interval=None)
class SignedIn:
    """An access token of the user FUZZ_USER_ID."""

    def get(self, case: Any, context: Any) -> str:
        return sign(
            Purpose.ACCESS,
            int(os.environ["FUZZ_USER_ID"]),
            settings.access_token_lifetime,
            role=os.environ["FUZZ_ROLE"],
            sid=random.randrange(10**6, 10**9),
        )

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}
