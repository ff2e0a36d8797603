-- What revoking a token, and removing a club, mean for what the club was given before.

-- A repeat of a signup answers a token only as long as no token of its club was revoked. Those whose club nobody knows have no
-- `tenant_id`; those that are no club's, operators' and machines' own, have an empty one.
create index revoked_tokens_by_tenant on revoked_tokens (tenant_id, revoked_at);

-- A club that goes gives its use of a code back, however it goes: triggers see what is done by hand and by older versions, too. A
-- row here is a use; which code the club came with stays with the club.
create trigger promo_redemptions_returned after delete on promo_redemptions
BEGIN
  update promo_codes set uses = uses - 1 where code = old.code and uses > 0;
END;

create trigger tenants_gave_promo_back after update of status on tenants
when new.status = 'cancelled' and old.status <> 'cancelled' and new.promo_code_used is not null
BEGIN
  delete from promo_redemptions where code = new.promo_code_used and tenant_id = new.id;
END;

-- Those that went before. Their rows stay, and say nothing any more: migrations only add.
update promo_codes set uses = max(0, uses - (
  select count(*) from promo_redemptions r join tenants t on t.id = r.tenant_id
  where r.code = promo_codes.code and t.status = 'cancelled'))
where code in (
  select r.code from promo_redemptions r join tenants t on t.id = r.tenant_id where t.status = 'cancelled');
