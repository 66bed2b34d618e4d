"""How the child process that re-encodes pictures ends, for both sides: no library is loaded."""

NO_PICTURE, TOO_LARGE = 3, 4
