mod tenants_delete;
mod tokens_revoke;
