//! What monitoring is told while the database does not answer.

use crate::{
    db::Db,
    ports::{Level, LogLine, Ports},
    store::metrics::{self, Measures},
};

use super::{App, health};

/// What the database says of everything, on nobody's behalf; none when it does not say so in time, which the log tells.
pub async fn measures<P: Ports>(app: &App<P>) -> Option<Measures> {
    let asked = health::within(&app.ports, async {
        let answer = app.ports.db().ask(metrics::select()).await;
        answer.map(Measures::of).map_err(|error| error.to_string())
    });
    match asked.await {
        Ok(measures) => Some(measures),
        Err(error) => {
            app.log(LogLine::new(Level::Error, "metrics_incomplete").with("error", error));
            None
        }
    }
}
