//! Mails about who belongs to a tenant.

use crate::domain::{Language, TeamRole, TenantName, Timestamp};

use super::{
    dates,
    layout::{Block, Fact, Letter},
    names::typed,
};

/// Invites somebody. Nothing that somebody typed stands in its subject, and nothing of it leads anywhere.
#[derive(Debug, Clone, Copy)]
pub struct Invitation<'a> {
    /// Into which tenant.
    pub name: &'a TenantName,
    /// Who invites.
    pub inviter: Option<&'a str>,
    /// As what.
    pub role: TeamRole,
    /// What the inviter says.
    pub message: Option<&'a str>,
    /// Where it is accepted.
    pub link: &'a str,
    /// When it is too late.
    pub until: Timestamp,
}

impl<'a> Invitation<'a> {
    pub(super) fn letter(&self, language: Language) -> Letter<'a> {
        let t = |english, german| language.pick(english, german);
        let mut facts = Vec::new();
        let mut fact = |name, value: String| facts.push(Fact { name, value, url: None });
        if let Some(inviter) = self.inviter {
            fact(t("From", "Von"), typed(inviter));
        }
        fact(t("As", "Als"), spoken(language, self.role).to_owned());
        if let Some(message) = self.message {
            fact(t("Message", "Nachricht"), typed(message));
        }
        fact(t("Good until", "Gilt bis"), dates::moment(language, self.until));
        Letter {
            name: Some(self.name),
            headline: t("You are invited to a club", "Sie sind in einen Verein eingeladen"),
            blocks: vec![
                Block::Paragraph(t(
                    "You are invited to help run {} here. No password is needed.",
                    "Sie sind eingeladen, {} hier mit zu verwalten. Ein Passwort brauchen Sie nicht.",
                )),
                Block::Facts(facts),
                Block::Link(t("See the invitation", "Einladung ansehen"), self.link),
            ],
            note: t(
                "If you do not know this club, ignore this mail: nothing happens until you accept.",
                "Wenn Sie diesen Verein nicht kennen, lassen Sie diese Mail einfach liegen: Ohne Ihre Zusage geschieht nichts.",
            ),
        }
    }
}

/// Tells an owner that somebody came too late for an invitation.
#[derive(Debug, Clone, Copy)]
pub struct InvitationAsked<'a> {
    /// Into which tenant.
    pub name: &'a TenantName,
    /// Who would like another one.
    pub who: &'a str,
    /// Where one signs in, if that is known.
    pub page: Option<&'a str>,
}

impl<'a> InvitationAsked<'a> {
    pub(super) fn letter(&self, language: Language) -> Letter<'a> {
        let t = |english, german| language.pick(english, german);
        let who = Fact { name: t("Address", "Adresse"), value: typed(self.who), url: None };
        Letter {
            name: Some(self.name),
            headline: t("Somebody would like a new invitation", "Jemand möchte eine neue Einladung"),
            blocks: vec![
                Block::Paragraph(t(
                    "An invitation to {} came too late for this address, and a new one is asked for:",
                    "Eine Einladung zu {} kam für diese Adresse zu spät, und es wird um eine neue gebeten:",
                )),
                Block::Facts(vec![who]),
                Block::Paragraph(t(
                    "You find it among the people of your club, and can send it again there.",
                    "Sie finden sie unter den Personen Ihres Vereins und können sie dort noch einmal senden.",
                )),
                Block::page(t("Sign in", "Anmelden"), self.page),
            ],
            note: t(
                "If nobody is to be invited any more, there is nothing to do.",
                "Wenn niemand mehr eingeladen werden soll, müssen Sie nichts tun.",
            ),
        }
    }
}

/// Offers a tenant to one of its people.
#[derive(Debug, Clone, Copy)]
pub struct OwnershipOffer<'a> {
    /// Which.
    pub name: &'a TenantName,
    /// When it is too late.
    pub until: Timestamp,
    /// Where one signs in, if that is known.
    pub page: Option<&'a str>,
}

impl<'a> OwnershipOffer<'a> {
    pub(super) fn letter(&self, language: Language) -> Letter<'a> {
        let t = |english, german| language.pick(english, german);
        let until = dates::moment(language, self.until);
        Letter {
            name: Some(self.name),
            headline: t("A club is to become yours", "Ein Verein soll Ihnen gehören"),
            blocks: vec![
                Block::Paragraph(t(
                    "The owner of {} would like to hand it on to you. You decide: nothing changes until you accept.",
                    "Der Inhaber von {} möchte Ihnen den Verein übergeben. Sie entscheiden: Ohne Ihre Zusage ändert sich nichts.",
                )),
                Block::Facts(vec![Fact { name: t("Good until", "Gilt bis"), value: until, url: None }]),
                Block::page(t("Sign in and decide", "Anmelden und entscheiden"), self.page),
            ],
            note: t(
                "If you do not want it, decline it there, or do nothing.",
                "Wenn Sie das nicht wollen, lehnen Sie dort ab, oder tun Sie nichts.",
            ),
        }
    }
}

const fn spoken(language: Language, role: TeamRole) -> &'static str {
    match role {
        TeamRole::Owner => language.pick("owner", "Inhaber"),
        TeamRole::TenantAdmin | TeamRole::Other(_) => language.pick("admin", "Verwalter"),
    }
}
