//! Whether the service can do its work: asked, not assumed.

use std::time::Duration;

use crate::{
    db::Db,
    domain::{TenantId, Timestamp},
    ports::{Clock, Ports},
    store::{self, flags::Switches},
    workflow::{Command, Reply},
};

use super::App;

/// How long anything has to answer.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// What is wrong with it.
    pub problem: Option<String>,
}

impl Check {
    fn of(name: &'static str, result: Result<(), String>) -> Self {
        Self { name, problem: result.err() }
    }
}

/// What readiness says.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// What was checked.
    pub checks: Vec<Check>,
    /// How operators set the switches; none if the database does not say. None of them makes the service unready: they are
    /// meant.
    pub switches: Option<Switches>,
}

/// Asks everything that a request may need.
pub async fn readiness<P: Ports>(app: &App<P>) -> Readiness {
    let database = within(&app.ports, async {
        let db = app.ports.db();
        let ask = (store::health::ask(app.ports.now()), store::flags::switches());
        let answered = match db.ask(ask).await {
            Ok((_, switches)) => Ok((switches, Ok(()))),
            Err(_) => db
                .ask(store::flags::switches())
                .await
                .map(|switches| (switches, Err("can be read, but not written".to_owned()))),
        };
        answered.map_err(|_| "does not answer".to_owned())
    });
    let object = within(&app.ports, async {
        let nobody = TenantId::new(Timestamp::from_millis(0), [0; 10]);
        match app.ports.send_command(&nobody, &Command::Ping).await {
            Ok(Reply::Pong) => Ok(()),
            Ok(_) => Err("answers nonsense".to_owned()),
            Err(_) => Err("does not answer".to_owned()),
        }
    });
    let (database, object) = futures_util::join!(database, object);
    let (switches, database) = match database {
        Ok((switches, written)) => (Some(switches), written),
        Err(problem) => (None, Err(problem)),
    };
    let checks = vec![Check::of("database", database), Check::of("provisioner", object), configuration(app)];
    Readiness { checks, switches }
}

/// Asks whether this version can start: the schema it needs, and a configuration that holds.
pub async fn startup<P: Ports>(app: &App<P>) -> Vec<Check> {
    let schema = within(&app.ports, async {
        match app.ports.db().ask(store::health::applied()).await {
            Ok(Some(1..)) => Ok(()),
            Ok(_) => Err(format!("{} is not applied", store::health::NEWEST_MIGRATION)),
            Err(_) => Err("can't be read".to_owned()),
        }
    })
    .await;
    vec![Check::of("schema", schema), configuration(app)]
}

fn configuration<P: Ports>(app: &App<P>) -> Check {
    let problems = &app.config().problems;
    let result = if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) };
    Check::of("configuration", result)
}

/// What `check` says, or that it said nothing in time.
pub(super) async fn within<T>(
    clock: &impl Clock,
    check: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let limit = clock.sleep(TIME_LIMIT);
    futures_util::pin_mut!(check, limit);
    match futures_util::future::select(check, limit).await {
        futures_util::future::Either::Left((result, _)) => result,
        futures_util::future::Either::Right(_) => Err("does not answer in time".to_owned()),
    }
}
