"""Roles of the embedded Postgres: `postgres` administers it, `videoflix` owns its database.

Clusters of earlier versions have a single role, `videoflix`, the bootstrap superuser. It owns the
system catalogs and cannot lose its rights, so it is renamed to `postgres`, a new role `videoflix`
gets its password, and the application's objects are transferred to it, in one transaction.
"""

import psycopg
from psycopg import sql

ADMINISTRATOR = "postgres"
ROLE = DATABASE = "videoflix"
# Temporary superuser that renames the bootstrap one, which cannot rename itself.
HELPER = "videoflix_handover"

CREATE = (
    "create role {role} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls"
    " password {password}"
)
# Transfers all objects outside system schemas and extensions that the administrator owns.
HAND_OVER = """
do $$
declare
    command text;
    theirs oid := (select oid from pg_roles where rolname = 'postgres');
begin
    for command in
        select format('alter schema %I owner to videoflix', nspname)
        from pg_namespace where nspname = 'public' or (nspowner = theirs and nspname !~ '^pg_'
            and nspname <> 'information_schema')
        union all
        select format('alter %s %s owner to videoflix',
            case relkind when 'S' then 'sequence' when 'v' then 'view'
                when 'm' then 'materialized view' else 'table' end, c.oid::regclass)
        from pg_class c join pg_namespace n on n.oid = relnamespace
        where relowner = theirs and relkind in ('r', 'p', 'v', 'm', 'S')
            and nspname !~ '^pg_' and nspname <> 'information_schema'
            and not exists (select from pg_depend d
                where d.classid = 'pg_class'::regclass and d.objid = c.oid
                and (d.deptype = 'e' or (relkind = 'S' and d.deptype in ('a', 'i'))))
        union all
        select format('alter routine %s owner to videoflix', p.oid::regprocedure)
        from pg_proc p join pg_namespace n on n.oid = pronamespace
        where proowner = theirs and nspname !~ '^pg_' and nspname <> 'information_schema'
            and not exists (select from pg_depend d
                where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
        union all
        select format('alter type %s owner to videoflix', t.oid::regtype)
        from pg_type t join pg_namespace n on n.oid = typnamespace
        where typowner = theirs and nspname !~ '^pg_' and nspname <> 'information_schema'
            and (typtype in ('e', 'd', 'r') or (typtype = 'c'
                and (select relkind from pg_class where oid = typrelid) = 'c'))
            and not exists (select from pg_depend d
                where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')
        union all
        select format('alter text search configuration %s owner to videoflix', c.oid::regconfig)
        from pg_ts_config c join pg_namespace n on n.oid = cfgnamespace
        where cfgowner = theirs and nspname !~ '^pg_'
        union all
        select format('alter text search dictionary %s owner to videoflix', d.oid::regdictionary)
        from pg_ts_dict d join pg_namespace n on n.oid = dictnamespace
        where dictowner = theirs and nspname !~ '^pg_'
            and not exists (select from pg_depend e
                where e.classid = 'pg_ts_dict'::regclass and e.objid = d.oid and e.deptype = 'e')
    loop
        execute command;
    end loop;
end
$$
"""


def ensure_role(admin: str, password: str) -> None:
    """Create the application's role and database if they are missing.

    `admin` is the administrator's URL of the database `postgres`.
    """
    with psycopg.connect(admin, autocommit=True) as connection:
        if not _exists(connection, "pg_roles", "rolname", ROLE):
            _create_role(connection, password)
        connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(HELPER)))
        if not _exists(connection, "pg_database", "datname", DATABASE):
            create = sql.SQL("create database {} owner {}")
            connection.execute(create.format(sql.Identifier(DATABASE), sql.Identifier(ROLE)))


def hand_over(as_role: str, as_helper: str, password: str, admin_password: str) -> None:
    """Replace a bootstrap superuser `videoflix` by an ordinary role.

    `as_role` and `as_helper` are the URLs of `videoflix` and HELPER for the application's database.
    """
    with psycopg.connect(as_role, autocommit=True) as connection:
        if not _exists(connection, "pg_roles", "rolname", HELPER):
            statement = "create role {} superuser login password {}"
            connection.execute(_with(statement, HELPER, password))
    with psycopg.connect(as_helper) as connection:
        rename = sql.SQL("alter role {} rename to {}")
        connection.execute(rename.format(sql.Identifier(ROLE), sql.Identifier(ADMINISTRATOR)))
        connection.execute(_with("alter role {} password {}", ADMINISTRATOR, admin_password))
        _create_role(connection, password)
        owner = sql.SQL("alter database {} owner to {}")
        connection.execute(owner.format(sql.Identifier(DATABASE), sql.Identifier(ROLE)))
        connection.execute(HAND_OVER)


def _create_role(connection: psycopg.Connection, password: str) -> None:
    connection.execute(
        sql.SQL(CREATE).format(role=sql.Identifier(ROLE), password=sql.Literal(password))
    )


def _with(statement: str, role: str, password: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(role), sql.Literal(password))


def _exists(connection: psycopg.Connection, catalog: str, column: str, name: str) -> bool:
    query = sql.SQL("select from {} where {} = %s")
    found = connection.execute(
        query.format(sql.Identifier(catalog), sql.Identifier(column)), [name]
    )
    return found.fetchone() is not None
