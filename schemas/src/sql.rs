//! The database schema as text. The migration runner in `runtime` applies it.

/// One forward-only step. `version` orders them and is never reused.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    pub version: i32,
    pub name: &'static str,
    pub sql: &'static str,
}

pub const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "main_job", sql: include_str!("../sql/0001_main_job.sql") },
    Migration {
        version: 2,
        name: "agent_in_full",
        sql: include_str!("../sql/0002_agent_in_full.sql"),
    },
];

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

    #[test]
    fn migrations_are_numbered_from_one_without_holes() {
        let versions: Vec<i32> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        let expected: Vec<i32> = (1..).take(MIGRATIONS.len()).collect();
        assert_eq!(versions, expected);
    }

    #[test]
    fn both_engines_offer_the_same_functions_and_only_one_names_the_extension() {
        let functions = |engine: Engine| {
            let lines = engine.sql().lines();
            lines.filter(|l| l.starts_with("CREATE FUNCTION")).collect::<Vec<_>>()
        };
        assert_eq!(functions(Engine::Plain), functions(Engine::Timescale));
        assert_eq!(functions(Engine::Plain).len(), 3);
        let shared = MIGRATIONS.iter().map(|m| m.sql).chain([Engine::Plain.sql()]);
        for sql in shared {
            let code = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
            assert!(!code.collect::<String>().to_lowercase().contains("timescale"));
        }
    }
}
