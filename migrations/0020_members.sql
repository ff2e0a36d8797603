-- The people of a tenant who are not its owner: they come with tenants of an older service, and go with their tenant. Only they have
-- entries here, so that no signup pays for it.
create index auth_users_members on auth_users (tenant_id) where roles <> '["tenant_admin","owner"]';
