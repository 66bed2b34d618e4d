"""Open invoices can be corrected: their words, date, member, lines; withdrawn ones are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"

LINE_GUARD = """
create or replace function public.invoice_line_guard() returns trigger language plpgsql as $$
declare
    bill bigint := case when tg_op = 'DELETE' then old.invoice_id else new.invoice_id end;
    standing text;
begin
    select status into standing from public.invoice where id = bill for update;
    if standing <> 'outstanding' or
       (tg_op = 'UPDATE' and old.invoice_id <> new.invoice_id{moved}) then
        raise exception 'the lines of a paid or void invoice do not change'
            using errcode = 'restrict_violation';
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end
$$;
"""
MOVED = (
    " and exists (select from public.invoice where id = old.invoice_id and status <> 'outstanding')"
)
LINE_SUMMED = """
create or replace function public.invoice_line_summed() returns trigger language plpgsql as $$
begin
    update public.invoice set updated_at = now()
    where id = case when tg_op = 'DELETE' then old.invoice_id else new.invoice_id end{moved};
    return null;
end
$$;
"""
BOTH = " or (tg_op = 'UPDATE' and id = old.invoice_id)"


def upgrade() -> None:
    no = sa.text("false")
    op.add_column("invoice", sa.Column("description", sa.String(255), nullable=True))
    op.add_column("invoice", sa.Column("issued_on", sa.Date, nullable=True))
    op.add_column(
        "invoice", sa.Column("is_withdrawn", sa.Boolean, nullable=False, server_default=no)
    )
    op.drop_constraint("uq_invoice_user_id", "invoice", type_="unique")
    op.create_index(
        "uq_invoice_user_id",
        "invoice",
        ["user_id", "period"],
        unique=True,
        postgresql_where=sa.text("not is_withdrawn"),
    )
    op.execute(LINE_GUARD.format(moved=MOVED))
    op.execute(LINE_SUMMED.format(moved=BOTH))


def downgrade() -> None:
    op.execute(LINE_SUMMED.format(moved=""))
    op.execute(LINE_GUARD.format(moved=""))
    # A withdrawn invoice and its successor would be two of one month.
    op.execute("update public.invoice set user_id = null where is_withdrawn")
    op.drop_index("uq_invoice_user_id", "invoice")
    op.create_unique_constraint("uq_invoice_user_id", "invoice", ["user_id", "period"])
    for name in ("is_withdrawn", "issued_on", "description"):
        op.drop_column("invoice", name)
