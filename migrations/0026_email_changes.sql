-- People change their own address: the new one shows itself by a link that is mailed there, and the old one gets a way back.

create table email_changes (
  -- Sorts by its age.
  id text primary key,
  tenant_id text not null references tenants (id),
  -- Who: the owner, or one of the tenant's people.
  user_id text not null,
  -- What the address is to be.
  email text not null collate nocase,
  -- open, superseded (by a later one, or by a way back), confirmed, undone
  state text not null default 'open' check (state <> ''),
  -- SHA-256 of what the mailed link has; null until it is mailed.
  link text,
  created_at integer not null,
  expires_at integer not null,
  confirmed_at integer,
  -- What the address was until then.
  previous_email text collate nocase,
  -- As `link`, of the way back that was mailed to the previous address.
  undo_link text,
  undo_expires_at integer,
  undone_at integer,
  -- The address that the way back replaced.
  replaced_email text collate nocase,
  -- Whose doing the last change of state was: what follows from it in the same batch is done by that.
  mark text
) strict, without rowid;

create index email_changes_by_person on email_changes (tenant_id, user_id, created_at);
create index email_changes_by_age on email_changes (created_at);
