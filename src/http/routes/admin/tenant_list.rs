//! `GET /api/v1/admin/tenants`: tenants by age, or by what they are called.

use axum::extract::RawQuery;

use crate::{
    db::Db,
    domain::{Email, Plan, RunStatus, TenantStatus, text},
    http::{
        answer::{Json, Page, page},
        auth::{Authenticated, PlatformAdmin},
        error::ApiError,
        page::{Query, cursor, paginate_by},
    },
    ports::Ports,
    store::{
        admin_tenants::{self, Before, Filter, Read, Search, Tenant},
        names,
    },
};

/// The longest name that is searched for.
const LONGEST: usize = 100;
/// Stands before the mark of a page of tenants that no index finds.
const LOOKED: char = '+';

/// `GET /api/v1/admin/tenants`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Authenticated<P, PlatformAdmin>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<Tenant>>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let filter = Filter {
        status: query.optional("status", TenantStatus::named),
        plan: query.optional("plan", Plan::named),
        provision: query.optional("provision", RunStatus::named),
        search: query.optional("q", search),
        before: query.cursor(before),
        limit: limit + 1,
    };
    let filter = query.all(filter)?;
    let read = ask(&caller, &filter).await?;
    let (rows, next) = match filter.search {
        Some(_) if read.is_indexed => found(&caller, read, filter.before.as_ref(), limit),
        _ => listed(&caller, read, limit),
    };
    Ok(page(rows, next))
}

/// Asks for a page; where somebody is searched for, once more if names had to be folded first.
async fn ask<P: Ports>(caller: &Authenticated<P, PlatformAdmin>, filter: &Filter) -> Result<Read, ApiError> {
    let unfolded = filter.search.as_ref().map(|_| names::unfolded(names::BY_SEARCH));
    let (mut listing, unfolded) = caller.ask((admin_tenants::list(filter), unfolded)).await?;
    if let Some(unfolded) = unfolded.filter(|unfolded| !unfolded.is_empty()) {
        caller.app.ports.db().query(names::fold(&unfolded)).await?;
        listing = caller.ask(admin_tenants::list(filter)).await?;
    }
    Ok(Read::of(listing))
}

/// A page of tenants by age. A page looks at so many tenants and no more: the next goes on behind them, even if none of these was
/// wanted.
fn listed<P: Ports>(
    caller: &Authenticated<P, PlatformAdmin>,
    read: Read,
    limit: u32,
) -> (Vec<Tenant>, Option<String>) {
    let many = read.by_age.len();
    let tenants = caller.app.readable(read.by_age, "tenants").into_iter().map(|found| found.tenant).collect();
    let (rows, next) = paginate_by(many, tenants, limit, |tenant: &Tenant| tenant.facts.id.to_string());
    (rows, next.or_else(|| read.end.map(|end| cursor(end.as_str()))))
}

/// A page of tenants that were searched for: first those that an index finds, then those of whose names something within is
/// wanted.
fn found<P: Ports>(
    caller: &Authenticated<P, PlatformAdmin>,
    read: Read,
    before: Option<&Before>,
    limit: u32,
) -> (Vec<Tenant>, Option<String>) {
    let looked = |id: &str| Some(cursor(&format!("{LOOKED}{id}")));
    let longest = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut rows: Vec<Tenant> = Vec::new();
    if !matches!(before, Some(Before::Looked(_))) {
        let many = read.by_index.len();
        let tenants =
            caller.app.readable(read.by_index, "tenants").into_iter().map(|found| found.tenant).collect();
        let (tenants, next) =
            paginate_by(many, tenants, limit, |tenant: &Tenant| tenant.facts.id.to_string());
        if next.is_some() {
            return (tenants, next);
        }
        // What was looked at on this page is older than those before it: looking begins with the next one.
        if before.is_some() {
            return (tenants, looked(""));
        }
        rows = tenants;
    }
    let is_cut = read.by_age.len() > longest;
    let looked_at = caller.app.readable(read.by_age, "tenants");
    let last = looked_at.last().map(|found| found.tenant.facts.id.to_string());
    let more = looked_at.into_iter().filter(|found| !found.begins_so);
    let mut more = more.map(|found| found.tenant).peekable();
    let mut mark = String::new();
    while rows.len() < longest
        && let Some(tenant) = more.next()
    {
        mark = tenant.facts.id.to_string();
        if rows.iter().all(|row| row.facts.id != tenant.facts.id) {
            rows.push(tenant);
        }
    }
    let next = match (more.peek(), last) {
        (Some(_), _) => looked(&mark),
        (None, Some(last)) if is_cut => looked(&last),
        (None, _) => read.end.and_then(|end| looked(end.as_str())),
    };
    (rows, next)
}

/// What tenants are searched for: a name or a part of one, an address, or an id.
fn search(text: &str) -> Option<Search> {
    let name = text::folded(text);
    if name.is_empty() || text.chars().count() > LONGEST {
        return None;
    }
    let address = Email::try_from(text.to_owned()).map_or_else(|_| name.clone(), |email| email.to_string());
    Some(Search { typed: text.to_owned(), name, address })
}

fn before(mark: &str) -> Option<Before> {
    match mark.strip_prefix(LOOKED) {
        Some("") => Some(Before::Looked(None)),
        Some(id) => id.parse().ok().map(|id| Before::Looked(Some(id))),
        None => mark.parse().ok().map(Before::ByAge),
    }
}
