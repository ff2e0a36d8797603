-- Where a club's own members go: the club's page at its own address leads there.

alter table tenants add column members_url text check (length(members_url) between 1 and 2000);
