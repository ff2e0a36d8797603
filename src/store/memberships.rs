//! The tenants that one person belongs to: whoever reads the same address.

use crate::{
    db::{Query, Statement},
    domain::{Claims, TenantId},
};

use super::magic_links::Choice;

/// The tenants that the holder of a token belongs to, that of the token among them.
pub fn list(claims: &Claims) -> Query<Vec<Choice>> {
    Query::rows(Statement::new(
        "with the_reader as materialized (
             select coalesce((select email from auth_users where id = ?2 and tenant_id = ?1),
               (select email from tenants where id = ?1 and owner_user_id = ?2)) as address),
           the_person as materialized (
             select u.tenant_id, u.id as user_id from the_reader cross join auth_users u on u.email = the_reader.address
             where instr(u.roles, '\"tenant_admin\"') > 0
             union
             select t.id, t.owner_user_id from the_reader cross join tenants t on t.email = the_reader.address)
         select t.id as tenant_id, t.slug, t.name, t.status, the_person.user_id,
           coalesce((select roles from auth_users where id = the_person.user_id), '[\"tenant_admin\",\"owner\"]') as roles
         from the_person cross join tenants t on t.id = the_person.tenant_id
         where t.status <> 'cancelled' and t.undo_state is null order by t.name, t.id",
        [
            claims.tenant.as_ref().map(TenantId::as_str).into(),
            claims.sub.as_deref().unwrap_or_default().into(),
        ],
    ))
}
