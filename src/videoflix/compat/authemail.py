"""The dialect `authemail`: The accounts of django-rest-authemail, and `/api/videos/` with files."""

from videoflix.compat.dialect import Dialect

AUTHEMAIL = Dialect("authemail", ())
