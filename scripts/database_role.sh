#!/bin/sh
# Makes the application's role on a new database server: owner of its database, and nothing else.
# The image of Postgres runs it once, on an empty volume (docker-entrypoint-initdb.d).
set -eu
psql --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
    --set=password="$(cat /run/secrets/postgres_password)" <<'SQL'
create role videoflix login nosuperuser nocreatedb nocreaterole noreplication
    password :'password';
alter database videoflix owner to videoflix;
SQL
