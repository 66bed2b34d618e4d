"""A plan's billing is spelled like the rest of the wire: per_stream, per_hour."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_plan_billing"), "plan")
    op.execute("update plan set billing = replace(billing, '-', '_')")
    op.create_check_constraint(
        op.f("ck_plan_billing"), "plan", "billing in ('flat', 'per_stream', 'per_hour')"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_plan_billing"), "plan")
    op.execute("update plan set billing = replace(billing, '_', '-')")
    op.create_check_constraint(
        op.f("ck_plan_billing"), "plan", "billing in ('flat', 'per-stream', 'per-hour')"
    )
