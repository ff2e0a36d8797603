//! What a tenant's page at its own address shows.

use crate::{
    db::{Query, Statement, columns},
    domain::TenantStatus,
};

/// What is known of the tenant at an address.
#[derive(Debug, Clone)]
pub struct TenantPage {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: TenantStatus,
    /// Whether its e-mail address is proven, or nobody asked.
    pub is_proven: bool,
    /// Its colours, where it chose some.
    pub primary_color: Option<String>,
    /// Its colours, where it chose some.
    pub secondary_color: Option<String>,
    /// Its language, a word that a later version may know better.
    pub language: Option<String>,
    /// Where its members go.
    pub members_url: Option<String>,
}

columns! { TenantPage: name, status, is_proven, primary_color, secondary_color, language, members_url }

/// The tenant of this name in addresses.
pub fn by_slug(slug: &str) -> Query<Option<TenantPage>> {
    Query::optional(Statement::new(
        "select t.name, t.status, t.unproven_email is null as is_proven, b.primary_color, b.secondary_color, t.language,
           t.members_url
         from tenants t left join tenant_brand b on b.tenant_id = t.id where t.slug = ?1",
        [slug.into()],
    ))
}
