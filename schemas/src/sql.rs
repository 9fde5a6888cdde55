//! The database schema as text. The migration runner in `runtime` applies it.

/// One forward-only step. `version` orders them and is never reused.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    pub version: i32,
    pub name: &'static str,
    pub sql: &'static str,
    /// What the step needs of the engine, applied before its `sql` and in the same transaction.
    /// The functions of [`Engine::sql`] are made once, with a new database: what an engine has to
    /// offer later comes this way, so that databases that are there already get it too.
    pub engine: Option<EngineSql>,
}

/// The same functions, for each engine.
#[derive(Debug, Clone, Copy)]
pub struct EngineSql {
    pub plain: &'static str,
    pub timescale: &'static str,
}

impl EngineSql {
    pub fn of(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Plain => self.plain,
            Engine::Timescale => self.timescale,
        }
    }
}

const fn shared(version: i32, name: &'static str, sql: &'static str) -> Migration {
    Migration { version, name, sql, engine: None }
}

pub const MIGRATIONS: &[Migration] = &[
    shared(1, "main_job", include_str!("../sql/0001_main_job.sql")),
    shared(2, "agent_in_full", include_str!("../sql/0002_agent_in_full.sql")),
    shared(3, "repair", include_str!("../sql/0003_repair.sql")),
    shared(4, "rollups", include_str!("../sql/0004_rollups.sql")),
    Migration {
        version: 5,
        name: "retention",
        sql: include_str!("../sql/0005_retention.sql"),
        engine: Some(EngineSql {
            plain: include_str!("../sql/engine/0005_plain.sql"),
            timescale: include_str!("../sql/engine/0005_timescale.sql"),
        }),
    },
    shared(6, "log_search", include_str!("../sql/0006_log_search.sql")),
    shared(7, "pipeline", include_str!("../sql/0007_pipeline.sql")),
    Migration {
        version: 8,
        name: "months",
        sql: include_str!("../sql/0008_months.sql"),
        engine: Some(EngineSql {
            plain: include_str!("../sql/engine/0008_plain.sql"),
            timescale: include_str!("../sql/engine/0008_timescale.sql"),
        }),
    },
    shared(9, "upkeep", include_str!("../sql/0009_upkeep.sql")),
    shared(10, "whole_hours", include_str!("../sql/0010_whole_hours.sql")),
    shared(11, "inventory_order", include_str!("../sql/0011_inventory_order.sql")),
    shared(12, "less_effort", include_str!("../sql/0012_less_effort.sql")),
    shared(13, "unknown", include_str!("../sql/0013_unknown.sql")),
    shared(14, "alerts", include_str!("../sql/0014_alerts.sql")),
];

/// The oldest TimescaleDB whose functions the schema uses, major and minor.
pub const TIMESCALE_MIN: (u32, u32) = (2, 29);

/// What keeps time series. Detected at the first migration, recorded, and never switched silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Plain,
    Timescale,
}

impl Engine {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Timescale => "timescale",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Plain, Self::Timescale].into_iter().find(|engine| engine.as_str() == name)
    }

    /// The engine's functions, on which the migrations build.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Plain => include_str!("../sql/engine/plain.sql"),
            Self::Timescale => include_str!("../sql/engine/timescale.sql"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `CREATE FUNCTION` to the language: names, parameters and results.
    fn signatures(sql: &'static str) -> Vec<&'static str> {
        let mut parts = sql.split("CREATE FUNCTION ");
        parts.next();
        parts.filter_map(|part| part.split("LANGUAGE").next()).map(str::trim).collect()
    }

    fn engine_sql() -> Vec<EngineSql> {
        let first = EngineSql { plain: Engine::Plain.sql(), timescale: Engine::Timescale.sql() };
        [first].into_iter().chain(MIGRATIONS.iter().filter_map(|m| m.engine)).collect()
    }

    #[test]
    fn migrations_are_numbered_from_one_without_holes() {
        let versions: Vec<i32> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        let expected: Vec<i32> = (1..).take(MIGRATIONS.len()).collect();
        assert_eq!(versions, expected);
    }

    #[test]
    fn both_engines_offer_the_same_functions_and_only_one_names_the_extension() {
        let mut functions = 0;
        for sql in engine_sql() {
            assert_eq!(signatures(sql.plain), signatures(sql.timescale));
            functions += signatures(sql.plain).len();
        }
        assert_eq!(functions, 8);
        let plain = engine_sql().into_iter().map(|sql| sql.plain);
        for sql in MIGRATIONS.iter().map(|m| m.sql).chain(plain) {
            let code = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
            assert!(!code.collect::<String>().to_lowercase().contains("timescale"));
        }
    }
}
