-- Who holds a delivery: counted up with each claim, so that whoever lost it changes nothing any more. An attempt is counted when
-- something is sent, not when it is claimed.

alter table webhook_deliveries add column claim integer not null default 0;
