"""A Django project with the models of an older backend, filled with people and what they did.

    python -m older_site SITE FOLDER USERS [DATABASE_URL]

writes `site.sqlite3` (or fills the Postgres database) and `dump.json`, as `dumpdata` does.
"""
