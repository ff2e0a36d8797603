mod admin;
mod bgops;
mod tenants;
