"""The job queue: the schema of the installed procrastinate."""

from alembic import op
from procrastinate.schema import SchemaManager

from videoflix.platform.postgres.session import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DROP = """
do $$ declare found record; begin
    for found in select oid::regclass as name from pg_class
        where relname like 'procrastinate_%' and relkind = 'r'
          and relnamespace = 'public'::regnamespace
    loop execute format('drop table if exists %s cascade', found.name); end loop;
    for found in select oid::regprocedure as name from pg_proc
        where proname like 'procrastinate_%' and pronamespace = 'public'::regnamespace
    loop execute format('drop function if exists %s cascade', found.name); end loop;
    for found in select oid::regtype as name from pg_type
        where typname like 'procrastinate_%' and typnamespace = 'public'::regnamespace
    loop execute format('drop type if exists %s cascade', found.name); end loop;
end $$;
"""


def upgrade() -> None:
    run_script(op.get_bind(), SchemaManager.get_schema())


def downgrade() -> None:
    run_script(op.get_bind(), DROP)
