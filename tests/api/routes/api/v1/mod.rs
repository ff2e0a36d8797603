mod admin;
mod tenants;
