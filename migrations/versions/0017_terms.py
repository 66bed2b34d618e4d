"""Memberships remember what was agreed when; amounts are large; billing is spelled alike."""

import sqlalchemy as sa
from alembic import op

from videoflix.platform.postgres.session import run_script

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# A charge of a flat price names the term instead of the membership.
TERMS = """
insert into membership_term (membership_id, plan_id, from_at, until_at, created_at, updated_at)
select id, plan_id, starts_at, cancelled_at, now(), now() from membership;
alter table invoice_line disable trigger user;
-- Out of the way first: a term may have the number of another membership.
update invoice_line set source = 'membership-' || source where source like 'flat:%';
update invoice_line as line
set source = 'flat:' || term.id || ':' || split_part(line.source, ':', 3)
from membership_term as term
where line.source like 'membership-flat:%'
  and term.membership_id::text = split_part(line.source, ':', 2);
alter table invoice_line enable trigger user;
"""
BACK = """
alter table invoice_line disable trigger user;
update invoice_line set source = 'term-' || source where source like 'flat:%';
update invoice_line as line
set source = 'flat:' || term.membership_id || ':' || split_part(line.source, ':', 3)
from membership_term as term
where line.source like 'term-flat:%' and term.id::text = split_part(line.source, ':', 2)
  and term.id = (select min(first.id) from membership_term as first
                 where first.membership_id = term.membership_id);
alter table invoice_line enable trigger user;
"""
# What 0016 leaves open: whose a closed invoice is, and when it was paid.
GUARD = """
create or replace function invoice_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if old.status <> 'outstanding' and pg_trigger_depth() = 1 then
            raise exception 'a paid or void invoice stays' using errcode = 'restrict_violation';
        end if;
        return old;
    end if;
    if tg_op = 'UPDATE' then
        if old.user_id is not null and new.user_id is null then
            new.owner := 'former member';  -- the account was closed
        elsif old.status <> 'outstanding' and
              (new.user_id, new.owner) is distinct from (old.user_id, old.owner) then
            raise exception 'a paid or void invoice does not change'
                using errcode = 'restrict_violation';
        end if;
        if old.status <> 'outstanding' and (
               (new.currency, new.period, new.number, new.paid_at, new.created_at)
               is distinct from
               (old.currency, old.period, old.number, old.paid_at, old.created_at)
               or (new.status <> old.status and not
                   (old.status = 'paid' and new.status = 'void'))) then
            raise exception 'a paid or void invoice does not change'
                using errcode = 'restrict_violation';
        end if;
    end if;
    -- The sum of its lines, whatever anybody writes.
    select coalesce(sum(amount), 0) into new.amount from invoice_line where invoice_id = new.id;
    return new;
end
$$;
drop trigger invoice_guard on invoice;
create trigger invoice_guard before insert or update or delete on invoice
for each row execute function invoice_guard();
"""
FORMER_GUARD = """
create or replace function invoice_guard() returns trigger language plpgsql as $$
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
drop trigger invoice_guard on invoice;
create trigger invoice_guard before update or delete on invoice
for each row execute function invoice_guard();
"""


def respell(words: str, old: str, new: str) -> None:
    op.drop_constraint(op.f("ck_plan_billing"), "plan")
    plan = sa.table("plan", sa.column("billing", sa.String))
    op.execute(plan.update().values(billing=sa.func.replace(plan.c.billing, old, new)))
    op.create_check_constraint(op.f("ck_plan_billing"), "plan", words)


def upgrade() -> None:
    respell("billing in ('flat', 'per_stream', 'per_hour')", "-", "_")
    for table in ("invoice", "invoice_line"):
        op.alter_column(table, "amount", type_=sa.BigInteger())
    op.create_table(
        "membership_term",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("membership_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["membership_id"],
            ["membership.id"],
            name=op.f("fk_membership_term_membership_id_membership"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["plan.id"],
            name=op.f("fk_membership_term_plan_id_plan"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership_term")),
    )
    op.create_index("ix_membership_term_membership_id", "membership_term", ["membership_id"])
    op.create_index("ix_membership_term_plan_id", "membership_term", ["plan_id"])
    run_script(op.get_bind(), TERMS)
    run_script(op.get_bind(), GUARD)


def downgrade() -> None:
    run_script(op.get_bind(), FORMER_GUARD)
    run_script(op.get_bind(), BACK)
    op.drop_table("membership_term")
    for table in ("invoice", "invoice_line"):
        op.alter_column(table, "amount", type_=sa.Integer())
    respell("billing in ('flat', 'per-stream', 'per-hour')", "_", "-")
