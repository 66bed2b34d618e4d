"""Invoices that the database itself keeps right."""

import sqlalchemy as sa
from alembic import op

from videoflix.platform.postgres.session import run_script

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

RULES = """
create function invoice_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if old.status <> 'outstanding' and pg_trigger_depth() = 1 then
            raise exception 'a paid or void invoice stays' using errcode = 'restrict_violation';
        end if;
        return old;
    end if;
    if old.status <> 'outstanding' and
       (new.status, new.currency, new.period, new.number) is distinct from
       (old.status, old.currency, old.period, old.number) and
       not (old.status = 'paid' and new.status = 'void') then
        raise exception 'a paid or void invoice does not change'
            using errcode = 'restrict_violation';
    end if;
    if old.user_id is not null and new.user_id is null then
        new.owner := 'former member';  -- the account was closed
    end if;
    -- The sum of its lines, whatever anybody writes.
    select coalesce(sum(amount), 0) into new.amount from invoice_line where invoice_id = new.id;
    return new;
end
$$;
create trigger invoice_guard before update or delete on invoice
for each row execute function invoice_guard();

create function invoice_line_guard() returns trigger language plpgsql as $$
declare
    bill bigint := case when tg_op = 'DELETE' then old.invoice_id else new.invoice_id end;
    standing text;
begin
    select status into standing from invoice where id = bill for update;
    if standing <> 'outstanding' or
       (tg_op = 'UPDATE' and old.invoice_id <> new.invoice_id) then
        raise exception 'the lines of a paid or void invoice do not change'
            using errcode = 'restrict_violation';
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end
$$;
create trigger invoice_line_guard before insert or update or delete on invoice_line
for each row execute function invoice_line_guard();

create function invoice_line_summed() returns trigger language plpgsql as $$
begin
    update invoice set updated_at = now()
    where id = case when tg_op = 'DELETE' then old.invoice_id else new.invoice_id end;
    return null;
end
$$;
create trigger invoice_line_summed after insert or update or delete on invoice_line
for each row execute function invoice_line_summed();
"""


def stamps() -> list[sa.Column]:
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]


def chosen(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    op.add_column(
        "plan",
        sa.Column(
            "billing",
            chosen("billing", "flat", "per-stream", "per-hour"),
            server_default=sa.text("'flat'"),
            nullable=False,
        ),
    )
    op.add_column("stream_lease", sa.Column("plan_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        "fk_stream_lease_plan_id_plan", "stream_lease", "plan", ["plan_id"], ["id"]
    )
    op.create_table(
        "invoice_number",
        sa.Column("year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("year", name="pk_invoice_number"),
    )
    op.create_table(
        "invoice",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("owner", sa.String(length=300), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", chosen("invoicestatus", "outstanding", "paid", "void"), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        *stamps(),
        sa.CheckConstraint("amount >= 0", name="ck_invoice_amount"),
        sa.CheckConstraint("extract(day from period) = 1", name="ck_invoice_period"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name="fk_invoice_user_id_user_account",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_invoice"),
        sa.UniqueConstraint("user_id", "period", name="uq_invoice_user_id"),
        sa.UniqueConstraint("number", name="uq_invoice_number"),
    )
    op.create_index("ix_invoice_period", "invoice", ["period"])
    op.create_table(
        "invoice_line",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=60), nullable=True),
        *stamps(),
        sa.CheckConstraint("amount >= 0", name="ck_invoice_line_amount"),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
            name="fk_invoice_line_invoice_id_invoice",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_invoice_line"),
        sa.UniqueConstraint("source", name="uq_invoice_line_source"),
    )
    op.create_index("ix_invoice_line_invoice_id", "invoice_line", ["invoice_id"])
    run_script(op.get_bind(), RULES)


def downgrade() -> None:
    op.drop_table("invoice_line")
    op.drop_table("invoice")
    op.drop_table("invoice_number")
    run_script(
        op.get_bind(),
        "drop function invoice_guard(), invoice_line_guard(), invoice_line_summed();",
    )
    op.drop_column("stream_lease", "plan_id")
    op.drop_column("plan", "billing")
