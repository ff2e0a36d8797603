//! Who may do what: the one table of permissions.

use super::{Audience, Claims, Role, TenantId};

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Nobody in particular.
    Anyone,
    /// Whoever holds a token that opens something.
    AnyToken,
    /// An admin of the token's own tenant.
    TenantAdmin,
    /// An admin of the token's own tenant, whether or not its address is proven.
    SigningUp,
    /// An admin of the tenant that the route names.
    SameTenant,
    /// An admin of the tenant that the route names, or the platform's operators.
    SameTenantOrPlatform,
    /// An admin of the tenant that the route names, the platform's operators, or an internal service.
    TenantReader,
    /// An internal service.
    Service,
    /// The platform's operators.
    PlatformAdmin,
    /// The platform's operators, or an internal service: what is about all tenants.
    PlatformReader,
    /// The platform's operators, or its monitoring: that holds `METRICS_TOKEN`, which is no token of ours.
    Monitoring,
}

/// Why a valid token may not do this. The words are those of `error.reason` and of the log's `authz_deny` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The token has no role for this.
    #[error("role_mismatch")]
    RoleMismatch,
    /// The token is another tenant's.
    #[error("tenant_mismatch")]
    TenantMismatch,
    /// The token is for something else.
    #[error("unexpected \"aud\" claim value")]
    UnexpectedAudience,
    /// The token was revoked, or its tenant stopped.
    #[error("token_revoked")]
    TokenRevoked,
    /// The tenant's address is not proven yet, and this reaches outside, or outlives a day.
    #[error("email_unproven")]
    EmailUnproven,
}

impl Permission {
    /// The audiences that may come here at all.
    const fn audiences(self) -> &'static [Audience] {
        use Audience::{PlatformAdmin, Service, Tenant};
        match self {
            Self::Anyone => &[],
            Self::AnyToken => &[Tenant, PlatformAdmin, Service],
            Self::TenantAdmin | Self::SigningUp | Self::SameTenant => &[Tenant],
            Self::SameTenantOrPlatform => &[Tenant, PlatformAdmin],
            Self::TenantReader => &[Tenant, PlatformAdmin, Service],
            Self::Service => &[Service],
            Self::PlatformReader => &[PlatformAdmin, Service],
            Self::PlatformAdmin | Self::Monitoring => &[PlatformAdmin],
        }
    }

    /// Whether it is granted before the tenant's address is proven. A route is for proven ones unless its permission stands here.
    const fn is_for_unproven(self) -> bool {
        matches!(self, Self::Anyone | Self::AnyToken | Self::SigningUp | Self::TenantReader)
    }

    /// Whether a tenant's own people may come here: their pages may use a cookie then.
    pub fn admits_tenants(self) -> bool {
        self.audiences().contains(&Audience::Tenant)
    }

    /// Whether a token that says `claims` may use a route that names `requested`.
    pub fn check(self, claims: &Claims, requested: Option<&TenantId>) -> Result<(), Denial> {
        let audience = claims
            .audience
            .filter(|audience| self.audiences().contains(audience))
            .ok_or(Denial::UnexpectedAudience)?;
        let has_role = match audience {
            _ if self == Self::AnyToken => true,
            Audience::Tenant => claims.has(Role::TenantAdmin) || claims.has(Role::Owner),
            Audience::PlatformAdmin => claims.has(Role::Admin),
            Audience::Service => claims.has(Role::Service),
            Audience::MagicLink => false,
        };
        if !has_role {
            return Err(Denial::RoleMismatch);
        }
        if audience == Audience::Tenant && self != Self::AnyToken {
            let own = claims.tenant.as_ref().ok_or(Denial::TenantMismatch)?;
            if requested.is_some_and(|requested| requested != own) {
                return Err(Denial::TenantMismatch);
            }
        }
        if audience == Audience::Tenant && claims.unproven && !self.is_for_unproven() {
            return Err(Denial::EmailUnproven);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(audience: Audience, role: Role, tenant: Option<&str>) -> Claims {
        Claims {
            sub: None,
            aud: String::new(),
            audience: Some(audience),
            iss: String::new(),
            roles: vec![role],
            role_names: vec![],
            tenant: tenant.map(|t| t.parse().unwrap()),
            jti: None,
            session: None,
            iat: None,
            exp: 0,
            unproven: false,
        }
    }

    #[test]
    fn before_an_address_is_proven_little_is_granted() {
        use Permission::{
            AnyToken, Monitoring, PlatformAdmin, SameTenant, SameTenantOrPlatform, Service, SigningUp,
            TenantAdmin, TenantReader,
        };
        let unproven =
            Claims { unproven: true, ..claims(Audience::Tenant, Role::TenantAdmin, Some("tenant_a")) };
        let own: TenantId = "tenant_a".parse().unwrap();
        for permission in [AnyToken, SigningUp, TenantReader] {
            assert_eq!(permission.check(&unproven, Some(&own)), Ok(()), "{permission:?}");
        }
        for permission in [TenantAdmin, SameTenant, SameTenantOrPlatform] {
            let denied = permission.check(&unproven, Some(&own));
            assert_eq!(denied, Err(Denial::EmailUnproven), "{permission:?}");
        }
        for permission in [Service, PlatformAdmin, Monitoring] {
            assert_eq!(permission.check(&unproven, None), Err(Denial::UnexpectedAudience), "{permission:?}");
        }
        let b: TenantId = "tenant_b".parse().unwrap();
        assert_eq!(SameTenant.check(&unproven, Some(&b)), Err(Denial::TenantMismatch));
    }

    #[test]
    fn a_tenant_admin_reads_the_own_tenant_only() {
        let own = claims(Audience::Tenant, Role::TenantAdmin, Some("tenant_a"));
        let a: TenantId = "tenant_a".parse().unwrap();
        let b: TenantId = "tenant_b".parse().unwrap();
        assert_eq!(Permission::TenantReader.check(&own, Some(&a)), Ok(()));
        assert_eq!(Permission::TenantReader.check(&own, Some(&b)), Err(Denial::TenantMismatch));
    }

    #[test]
    fn a_tenant_token_without_a_tenant_opens_nothing() {
        let none = claims(Audience::Tenant, Role::TenantAdmin, None);
        assert_eq!(Permission::TenantAdmin.check(&none, None), Err(Denial::TenantMismatch));
    }

    #[test]
    fn a_magic_link_is_no_token() {
        let link = claims(Audience::MagicLink, Role::TenantAdmin, Some("tenant_a"));
        for permission in
            [Permission::AnyToken, Permission::TenantAdmin, Permission::TenantReader, Permission::Service]
        {
            assert_eq!(permission.check(&link, None), Err(Denial::UnexpectedAudience));
        }
    }

    #[test]
    fn the_audience_is_judged_before_the_role() {
        let admin_role = claims(Audience::Tenant, Role::Admin, Some("tenant_a"));
        assert_eq!(Permission::PlatformAdmin.check(&admin_role, None), Err(Denial::UnexpectedAudience));
        assert_eq!(Permission::TenantAdmin.check(&admin_role, None), Err(Denial::RoleMismatch));
    }
}
