//! What the routes of a tenant's people take and answer.

use tenantry::http::{
    answer::SuccessResponse,
    router::Route,
    routes::{
        auth::magic_links,
        public::invitations as held,
        tenants::{invitations, members, memberships, ownership},
    },
};

use super::operation::{Operation, Tag, op};

pub fn describe(route: &Route) -> Option<Operation> {
    use Tag::Team;
    Some(match (route.method, route.path) {
        ("GET", "/api/v1/tenants/{id}/members") => op(Team, "listMembers", "Who belongs to the tenant")
            .says("Its people, who is invited, and whom it is offered to. Links and tokens are never shown.")
            .answers::<members::TeamResponse>(200, "All of them."),
        ("PATCH", "/api/v1/tenants/{id}/members/{user}") => op(Team, "changeMember", "Make somebody an owner, or an admin")
            .says("By owners. It counts at once, whatever an older token says. A tenant always has an owner.")
            .takes::<members::MemberRolesRequest>()
            .answers::<members::MemberResponse>(200, "As they are now.")
            .fails(&["EMAIL_EXISTS", "LAST_OWNER", "MEMBER_NOT_FOUND"]),
        ("DELETE", "/api/v1/tenants/{id}/members/{user}") => op(Team, "removeMember", "Remove somebody")
            .says("By owners. All that the person holds opens nothing from then on. A tenant always has an owner.")
            .answers::<SuccessResponse>(200, "They are removed.")
            .fails(&["EMAIL_EXISTS", "LAST_OWNER", "MEMBER_NOT_FOUND"]),
        ("POST", "/api/v1/tenants/{id}/members/me/leave") => op(Team, "leave", "Leave the tenant")
            .says("For whoever asks. The last owner can't.")
            .ignores_a_body()
            .answers::<SuccessResponse>(200, "They have left.")
            .with_headers(&["Set-Cookie"])
            .fails(&["EMAIL_EXISTS", "LAST_OWNER", "MEMBER_NOT_FOUND"]),
        ("POST", "/api/v1/tenants/{id}/invitations") => op(Team, "invite", "Invite somebody")
            .says("By owners, and by admins where the role is `tenant_admin`. Where an invitation to the address is open, it is mailed again and answered with 200: every five minutes, five times a day. At most 20 are open.")
            .takes::<invitations::InvitationRequest>()
            .answers::<invitations::InvitationResponse>(200, "It was open already, and is mailed again.")
            .answers::<invitations::InvitationResponse>(201, "It is on its way.")
            .fails(&["ALREADY_MEMBER", "TOO_MANY_INVITATIONS"]),
        ("POST", "/api/v1/tenants/{id}/invitations/{invitation}/resend") => op(Team, "resendInvitation", "Mail an invitation again")
            .says("With another link: earlier ones say that they are superseded. One that came too late is open again.")
            .ignores_a_body()
            .answers::<invitations::InvitationResponse>(200, "It is on its way.")
            .fails(&["ALREADY_MEMBER", "INVITATION_NOT_FOUND", "INVITATION_REVOKED", "INVITATION_USED"]),
        ("DELETE", "/api/v1/tenants/{id}/invitations/{invitation}") => op(Team, "revokeInvitation", "Take an invitation back")
            .says("Its links say so to whoever holds one.")
            .answers::<invitations::InvitationResponse>(200, "Nobody joins by it any more.")
            .fails(&["INVITATION_NOT_FOUND", "INVITATION_USED"]),
        ("POST", "/public/invitations/look") => op(Team, "lookAtInvitation", "What an invitation is, for whoever holds its link")
            .says("Nothing is changed. A link that was never mailed is 404.")
            .takes::<held::InvitationLinkRequest>()
            .answers::<held::InvitationLookResponse>(200, "What it is, and whether it can be accepted.")
            .fails(&["INVITATION_UNKNOWN", "RATE_LIMITED", "STORE_UNAVAILABLE"]),
        ("POST", "/public/invitations/accept") => op(Team, "acceptInvitation", "Accept an invitation, and sign in")
            .says("The link shows that its holder reads the mail: no password and no account is needed. It works once.")
            .takes::<held::AcceptInvitationRequest>()
            .answers::<magic_links::SignInAnswer>(200, "They belong to the tenant, and are signed in.")
            .with_headers(&["Set-Cookie"])
            .fails(&[
                "ALREADY_MEMBER",
                "FORBIDDEN",
                "INVITATION_EXPIRED",
                "INVITATION_REVOKED",
                "INVITATION_SUPERSEDED",
                "INVITATION_UNKNOWN",
                "INVITATION_USED",
                "RATE_LIMITED",
                "STORE_UNAVAILABLE",
                "TENANT_SUSPENDED",
            ]),
        ("POST", "/public/invitations/ask-again") => op(Team, "askForInvitation", "Ask for another invitation")
            .says("For whoever holds a link that came too late, or that is superseded: the owner is mailed, once a day.")
            .takes::<held::InvitationLinkRequest>()
            .answers::<SuccessResponse>(202, "The owner hears of it.")
            .fails(&[
                "INVITATION_OPEN",
                "INVITATION_REVOKED",
                "INVITATION_UNKNOWN",
                "INVITATION_USED",
                "RATE_LIMITED",
                "STORE_UNAVAILABLE",
                "TENANT_SUSPENDED",
            ]),
        ("POST", "/api/v1/tenants/{id}/ownership/transfer") => op(Team, "offerOwnership", "Offer the tenant to one of its people")
            .says("By owners. The person gets a mail and has 72 hours to accept.")
            .takes::<ownership::OwnershipOfferRequest>()
            .answers::<ownership::OwnershipOfferResponse>(201, "It is offered.")
            .fails(&["ALREADY_OWNER", "MEMBER_NOT_FOUND", "TRANSFER_PENDING"]),
        ("DELETE", "/api/v1/tenants/{id}/ownership/transfer") => op(Team, "withdrawOwnership", "Take the offer back, or decline it")
            .says("By owners, and by whoever is offered the tenant.")
            .answers::<SuccessResponse>(200, "It is offered to nobody.")
            .fails(&["TRANSFER_NOT_FOUND"]),
        ("POST", "/api/v1/tenants/{id}/ownership/transfer/accept") => op(Team, "acceptOwnership", "Accept the tenant")
            .says("By whoever is offered it: they own it, and whoever offered it is an admin from then on.")
            .ignores_a_body()
            .answers::<SuccessResponse>(200, "It is theirs.")
            .fails(&["EMAIL_EXISTS", "TRANSFER_EXPIRED", "TRANSFER_NOT_FOUND"]),
        ("POST", "/api/v1/admin/tenants/{id}/ownership") => op(Tag::Tenants, "giveOwnership", "Give a tenant to another of its people")
            .says("For a tenant whose only owner is gone. The first owner is an admin from then on; remove them, too, if need be.")
            .takes::<ownership::OwnershipRequest>()
            .answers::<SuccessResponse>(200, "It is theirs.")
            .fails(&["ALREADY_OWNER", "EMAIL_EXISTS", "MEMBER_NOT_FOUND"]),
        ("GET", "/api/v1/tenants/me/memberships") => op(Team, "listMemberships", "The tenants of whoever asks")
            .says("Those that the person belongs to, by the address that they have in the tenant of the token.")
            .answers::<memberships::MembershipsResponse>(200, "Each of them."),
        ("POST", "/auth/switch") => op(Tag::SignIn, "switchTenant", "Go to another of one's tenants")
            .says("Answers a token, or sets a cookie, for the other tenant. The one that is sent goes on to work.")
            .takes::<memberships::SwitchRequest>()
            .answers::<magic_links::SignInAnswer>(200, "Signed in.")
            .with_headers(&["Set-Cookie"]),
        _ => return None,
    })
}
