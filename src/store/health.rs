//! Whether the database is there, and is the one this version was built for.

use crate::{
    db::{Query, Statement},
    domain::Timestamp,
};

/// The newest migration that this version needs.
pub const NEWEST_MIGRATION: &str = "0024_sessions.sql";

/// Notes that somebody asks whether the database can be written: a row of its own, and once a second at most.
pub fn ask(now: Timestamp) -> Statement {
    Statement::new(
        "insert into measures (name, value) values ('readiness_asked_at', ?1)
         on conflict (name) do update set value = excluded.value where measures.value <> excluded.value",
        [now.seconds().into()],
    )
}

/// How often the newest migration was applied.
pub fn applied() -> Query<Option<u32>> {
    Query::scalar(Statement::new(
        "select count(*) as applied from d1_migrations where name = ?1",
        [NEWEST_MIGRATION.into()],
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_newest_migration_is_the_newest_in_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let newest = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name()).max().unwrap();
        assert_eq!(newest.to_str(), Some(super::NEWEST_MIGRATION));
    }
}
