//! What the people of a tenant are to it.

use super::{field_errors::InvalidValue, word::words};

words! {
    /// What somebody is to a tenant.
    TeamRole {
        /// Runs the tenant, and decides who else does.
        Owner = "owner",
        /// Runs the tenant.
        TenantAdmin = "tenant_admin",
    }
}

impl TeamRole {
    /// The roles of somebody who is that, as JSON: as tokens and rows have them.
    pub const fn roles(self) -> &'static str {
        match self {
            Self::Owner => r#"["tenant_admin","owner"]"#,
            Self::TenantAdmin => r#"["tenant_admin"]"#,
            Self::Other(_) => "[]",
        }
    }

    /// What somebody is who has these roles.
    pub fn highest(roles: &[Self]) -> Self {
        if roles.contains(&Self::Owner) { Self::Owner } else { Self::TenantAdmin }
    }
}

impl TryFrom<String> for TeamRole {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::named(text.trim())
            .ok_or_else(|| InvalidValue::new("invalid_role", "Choose `owner` or `tenant_admin`."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_an_admin_too() {
        assert_eq!(TeamRole::highest(&[TeamRole::TenantAdmin, TeamRole::Owner]), TeamRole::Owner);
        assert_eq!(TeamRole::highest(&[TeamRole::TenantAdmin]).roles(), r#"["tenant_admin"]"#);
        assert_eq!(TeamRole::Owner.roles(), r#"["tenant_admin","owner"]"#);
        assert!(TeamRole::try_from("admin".to_owned()).is_err());
    }
}
