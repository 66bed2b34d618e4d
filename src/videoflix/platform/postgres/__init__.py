"""Database connections, sessions, migrations, notifications and the embedded server."""
