"""Schemas of the audit log."""

from datetime import datetime
from enum import StrEnum

import msgspec


class EventKind(StrEnum):
    """Kinds of security events, including changes by staff."""

    REGISTERED = "registered"
    CREATED = "created"
    CONFIRMED = "address-confirmed"
    SIGNED_IN = "signed-in"
    SIGN_IN_REFUSED = "sign-in-refused"
    GUEST = "guest-signed-in"
    SIGNED_OUT = "signed-out"
    SIGNED_OUT_EVERYWHERE = "signed-out-everywhere"
    TOKEN_REPLAYED = "refresh-token-replayed"  # noqa: S105 - an event, no secret
    RESET_ASKED = "password-reset-asked"
    PASSWORD_RESET = "password-reset"  # noqa: S105 - an event, no secret
    PASSWORD_CHANGED = "password-changed"  # noqa: S105 - an event, no secret
    EMAIL_ASKED = "email-change-asked"
    EMAIL_CHANGED = "email-changed"
    # Recorded by the migration that found two accounts with the same address.
    ADDRESS_COLLISION = "address-collision"
    API_TOKEN_MADE = "api-token-made"  # noqa: S105 - an event, no secret
    API_TOKEN_REVOKED = "api-token-revoked"  # noqa: S105 - an event, no secret
    ROLE_CHANGED = "role-changed"
    DEACTIVATED = "deactivated"
    ACTIVATED = "activated"
    EXPORTED = "data-exported"
    CLOSED = "account-closed"
    LIBRARY_READ = "library-read"
    STAFF_CHANGE = "staff-change"
    JOB_RETRIED = "job-retried"
    JOB_HURRIED = "job-run-now"
    JOB_CANCELLED = "job-cancelled"
    ARCHIVE_ASKED = "archive-asked"
    ARCHIVE_DOWNLOADED = "archive-downloaded"


class SecurityEventRead(msgspec.Struct):
    """A security event of an account.

    `actor_id` is the user who caused it, null for anonymous clients and the system; `address`
    and `device` are those of the client.
    """

    id: int
    at: datetime
    kind: str
    user_id: int | None
    actor_id: int | None
    address: str
    device: str
    detail: str
