//! What steps make outside: as the checkpoint keeps it, and as D1 lists it.

use serde::{Deserialize, Serialize};

use crate::domain::Step;

/// What a step made outside, and needs to be known later: to verify it, and to remove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Artifact {
    /// A spreadsheet of the club's own.
    Spreadsheet {
        /// Google's id.
        id: String,
        /// Where people open it.
        url: String,
    },
    /// A DNS record of the club's own.
    DnsRecord {
        /// Cloudflare's id.
        id: String,
        /// The zone it was made in: it is removed from there, whatever is configured by then.
        zone: String,
        /// The club's address.
        name: String,
        /// Whether it was made by the attempt that tells of it; else it was found, with the tenant's marker on it.
        created: bool,
    },
    /// Something that this version doesn't know, as another version wrote it.
    #[serde(untagged)]
    Other(serde_json::Value),
}

/// An artifact as D1 lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<'a> {
    /// What it is, in a word.
    pub kind: &'a str,
    /// The other side's id for it.
    pub id: Option<&'a str>,
    /// Whether it was made by the attempt that told of it: else it was found there, and bore the club's marker.
    pub ours: bool,
}

/// What D1 lists of an artifact, and what is known beside that.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The other side's id for it.
    pub id: String,
    /// Whether we made it.
    pub ours: bool,
    /// Where people open the club's spreadsheet, if that is known.
    pub spreadsheet_url: Option<String>,
    /// The zone of the tenants' domain, as configured.
    pub zone: String,
    /// The club's address.
    pub host: String,
}

impl Artifact {
    /// As D1 lists it.
    #[must_use]
    pub fn listed(&self) -> Listed<'_> {
        match self {
            Self::Spreadsheet { id, .. } => Listed { kind: "spreadsheet", id: Some(id), ours: true },
            Self::DnsRecord { id, created, .. } => {
                Listed { kind: "dns_record", id: Some(id), ours: *created }
            }
            // A word, and what belongs to it, as another version wrote them.
            Self::Other(other) => {
                let (kind, rest) = other.as_object().and_then(|other| other.iter().next()).unzip();
                let id = rest.and_then(|rest| rest.get("id")?.as_str());
                Listed { kind: kind.map_or("unknown", String::as_str), id, ours: true }
            }
        }
    }

    /// What `step` made, from what D1 kept of it.
    #[must_use]
    pub fn of(step: Step, kept: Kept) -> Option<Self> {
        let Kept { id, ours, spreadsheet_url, zone, host } = kept;
        match step {
            Step::CreateSpreadsheet => {
                let url = || format!("https://docs.google.com/spreadsheets/d/{id}/edit");
                Some(Self::Spreadsheet { url: spreadsheet_url.unwrap_or_else(url), id })
            }
            Step::ConfigureRouting => Some(Self::DnsRecord { id, zone, name: host, created: ours }),
            _ => None,
        }
    }
}
