"""Every change of what decides about access is announced, by whichever way it is written."""

from alembic import op

from videoflix.platform.postgres.session import run_script

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

# The topics that platform/auth/revocations.py and playback listen to, on the channel of
# platform/postgres/notify.py. Statements that change none of these columns pay for no trigger.
TRIGGERS = """
create function access_changed() returns trigger language plpgsql as $$
declare
    gone jsonb := to_jsonb(old);
    fact text := 'all';
begin
    if tg_argv[0] <> 'all' then
        fact := tg_argv[0] || ':' || (coalesce(to_jsonb(new), gone) ->> tg_argv[1]);
    end if;
    perform pg_notify('videoflix_events', 'access:' || fact);
    return null;
end $$;

create function session_ended() returns trigger language plpgsql as $$
begin
    perform pg_notify('videoflix_events', tg_argv[0] || ':' || old.id);
    return null;
end $$;

create trigger access_changed after update of role, is_active, is_guest on user_account
for each row when (old.role <> new.role or old.is_active <> new.is_active
                   or old.is_guest <> new.is_guest)
execute function access_changed('user', 'id');
create trigger access_gone after delete on user_account
for each row execute function access_changed('user', 'id');

create trigger access_changed after insert or update or delete on membership
for each row execute function access_changed('user', 'user_id');

create trigger access_changed after update of max_age_rating, user_id on profile
for each row execute function access_changed('user', 'user_id');
create trigger access_gone after delete on profile
for each row execute function access_changed('user', 'user_id');

-- The first plan makes memberships necessary.
create trigger access_gone after insert or delete on plan
for each row execute function access_changed('all');
create trigger access_changed after update of max_height on plan
for each row when (old.max_height is distinct from new.max_height)
execute function access_changed('all');

create trigger access_changed
after update of deleted_at, playable, published_at, age_rating, audience, state on video
for each row when (
    row(old.deleted_at, old.playable, old.published_at, old.age_rating, old.audience, old.state)
    is distinct from
    row(new.deleted_at, new.playable, new.published_at, new.age_rating, new.audience, new.state))
execute function access_changed('video', 'id');
create trigger access_gone after delete on video
for each row execute function access_changed('video', 'id');

create trigger session_ended after update of ended_at on sign_in
for each row when (old.ended_at is null and new.ended_at is not null)
execute function session_ended('sign-in-ended');
create trigger session_gone after delete on sign_in
for each row when (old.ended_at is null and old.expires_at > now())
execute function session_ended('sign-in-ended');

create trigger session_ended after update of ended_at on stream_lease
for each row when (old.ended_at is null and new.ended_at is not null)
execute function session_ended('stream-ended');
"""
UNDO = """
drop trigger access_changed on user_account;
drop trigger access_gone on user_account;
drop trigger access_changed on membership;
drop trigger access_changed on profile;
drop trigger access_gone on profile;
drop trigger access_gone on plan;
drop trigger access_changed on plan;
drop trigger access_changed on video;
drop trigger access_gone on video;
drop trigger session_ended on sign_in;
drop trigger session_gone on sign_in;
drop trigger session_ended on stream_lease;
drop function access_changed(), session_ended();
"""


def upgrade() -> None:
    run_script(op.get_bind(), TRIGGERS)


def downgrade() -> None:
    run_script(op.get_bind(), UNDO)
