-- A live club's webhook goes on to be signed by the secrets that it replaced within the last day, beside its own.

-- Sealed like its own, each with its end: [{"secret": …, "until": Unix seconds}].
alter table make_connections add column previous_secrets text check (json_valid(previous_secrets));
-- The last of these ends: then they are removed.
alter table make_connections add column previous_until integer;

create index make_connections_previous on make_connections (previous_until) where previous_until is not null;
