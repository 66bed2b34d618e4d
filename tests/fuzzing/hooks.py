"""Loaded by schemathesis: signs requests in as the role of FUZZ_ROLE, and judges refusals.

Each token belongs to a sign-in of its own, so that a request that signs out does not end the run.
"""

import itertools
import os
from typing import Any

import schemathesis
from schemathesis.generation.meta import REQUEST_SHAPE_PROBES, coverage_scenario

from videoflix.platform.auth.tokens import Purpose, sign
from videoflix.settings import settings

# Refusals of values that fit the schema, for reasons that a schema cannot say.
SEMANTIC = {
    "chapters-refused",  # compares times, and the length of the film
    "cursor-of-search",  # a cursor with words to search for: OpenAPI has no exclusive parameters
    "cursor-refused",  # cursors are opaque
    "dates-reversed",  # compares two fields
    "file-empty",  # how long an upload is in the end
    "import-refused",  # which hosts and ports a URL may have
    "inconsistent-length",  # compares headers of several requests
    "key-reused",  # what the Idempotency-Key stood for before
    "link-spent",  # which links were mailed
    "markers-invalid",  # compares two fields
    "offset-too-large",  # with words to search for, a list ends earlier
    "page-invalid",  # how many pages there are
    "password-weak",  # how easily it is guessed
    "password-wrong",
    "picture-refused",  # what a file holds
    "poster-refused",  # what a file holds
    "pin-wrong",
    "range-not-satisfiable",  # how long a file is
    "range-unsatisfiable",
    "series-cursor-invalid",  # cursors are opaque
    "stream-ended",
    "title-missing",  # what is encoded in Upload-Metadata
    "tus-version-unsupported",  # one of two headers says which protocol a request follows
    "unsupported-media-type",  # each protocol has its content type
    "upload-header-invalid",  # which headers go together
    "webhook-endpoint-invalid",  # which hosts and ports a URL may have
    "upload-too-large",  # how much this installation accepts
    "subtitle-refused",  # what a file holds
}
schemathesis.serializer.alias(
    ["application/offset+octet-stream", "application/partial-upload"], "application/octet-stream"
)
# Who asks and what there is, which no schema says either.
STATE = {401, 403, 404, 409, 429}
numbers = itertools.count(10**6)


@schemathesis.check
def schema_says_what_is_refused(ctx: Any, response: Any, case: Any) -> None:
    """A request that fits the schema is refused only for a reason in SEMANTIC."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if coverage_scenario(case) in REQUEST_SHAPE_PROBES:  # other methods and content types
        return
    if 400 <= response.status_code < 500 and response.status_code not in STATE:
        problem = response.json()
        assert reason_of(problem) in SEMANTIC, f"fits the schema, but was refused: {problem}"


def reason_of(problem: dict[str, Any]) -> str:
    """The kind of a problem; /movies lists which parameters are wrong instead."""
    if [one["loc"] for one in problem["detail"] if "loc" in one] == [["query", "skip"]]:
        return "offset-too-large"
    return str(problem.get("type", "")).removeprefix("/problems/")


class SignedIn:
    """An access token of the user FUZZ_USER_ID."""

    def get(self, case: Any, context: Any) -> str:
        return sign(
            Purpose.ACCESS,
            int(os.environ["FUZZ_USER_ID"]),
            settings.access_token_lifetime,
            role=os.environ["FUZZ_ROLE"],
            sid=next(numbers),
        )

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


if "FUZZ_ROLE" in os.environ:
    schemathesis.auth(refresh_interval=None)(SignedIn)
