//! What each library is asked, and what of its tables may be read for it.

use std::fmt::Write as _;

use crate::config::TargetSpec;
use crate::dial::as_sent;

/// Rows a statement may give.
const ROWS: usize = 2_000;

/// What a library is asked.
struct Preset {
    kind: &'static str,
    /// Where its tables are, unless the config says otherwise.
    schema: &'static str,
    statement: &'static str,
    /// What the statement reads; empty where each queue has a table of its own.
    tables: &'static [&'static str],
    /// What it does not tell, and why.
    missing: &'static [(&'static str, &'static str)],
}

const AMONG_THE_DONE: &str = "failed jobs stand among the finished ones, and no index tells them apart";
const NO_LIST: &str = "the library keeps no list of its workers";

const PRESETS: &[Preset] = &[
    Preset {
        kind: "procrastinate",
        schema: "public",
        statement: as_sent(include_str!("sql/procrastinate.sql")),
        tables: &["procrastinate_jobs", "procrastinate_events", "procrastinate_workers"],
        missing: &[("dead", AMONG_THE_DONE)],
    },
    Preset {
        kind: "graphile_worker",
        schema: "graphile_worker",
        statement: as_sent(include_str!("sql/graphile_worker.sql")),
        // The view: row security hides the table's rows from everybody but its owner.
        tables: &["jobs"],
        missing: &[("workers", NO_LIST)],
    },
    Preset {
        kind: "solid_queue",
        schema: "public",
        statement: as_sent(include_str!("sql/solid_queue.sql")),
        tables: &[
            "solid_queue_ready_executions",
            "solid_queue_claimed_executions",
            "solid_queue_scheduled_executions",
            "solid_queue_failed_executions",
            "solid_queue_jobs",
            "solid_queue_pauses",
            "solid_queue_processes",
        ],
        missing: &[],
    },
    Preset {
        kind: "good_job",
        schema: "public",
        statement: as_sent(include_str!("sql/good_job.sql")),
        tables: &["good_jobs", "good_job_processes", "good_job_settings"],
        missing: &[("dead", AMONG_THE_DONE)],
    },
    Preset {
        kind: "que",
        schema: "public",
        statement: as_sent(include_str!("sql/que.sql")),
        tables: &["que_jobs", "que_lockers"],
        missing: &[("dead", AMONG_THE_DONE)],
    },
    Preset {
        kind: "oban",
        schema: "public",
        statement: as_sent(include_str!("sql/oban.sql")),
        tables: &["oban_jobs"],
        missing: &[("workers", NO_LIST)],
    },
    Preset {
        kind: "river",
        schema: "public",
        statement: as_sent(include_str!("sql/river.sql")),
        tables: &["river_job", "river_queue"],
        missing: &[("workers", NO_LIST)],
    },
    Preset {
        kind: "pgmq",
        schema: "pgmq",
        statement: as_sent(include_str!("sql/pgmq.sql")),
        tables: &[],
        missing: &[("workers", NO_LIST)],
    },
];

/// One statement with all that belongs to it.
#[derive(Clone)]
pub(super) struct Question {
    /// Where the tables are, as the server knows the schema.
    pub(super) schema: String,
    /// Opens the transaction it is asked in.
    pub(super) begin: String,
    /// The statement, in brackets: what writes is refused there by the server's own grammar.
    pub(super) text: String,
    /// What gives the role the right to ask it.
    pub(super) grant: String,
    /// What it does not tell, and why.
    pub(super) missing: &'static [(&'static str, &'static str)],
}

impl Question {
    /// What a target's kind or its config asks.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn of(spec: &TargetSpec, role: &str) -> Result<Self, String> {
        let preset = PRESETS.iter().find(|preset| preset.kind == spec.kind);
        let statement = match (preset, &spec.statement) {
            (Some(preset), _) => preset.statement,
            (None, Some(statement)) => statement,
            (None, None) => {
                return Err("statement is missing: a select that gives queue, depth and oldest".into());
            }
        };
        let schema =
            spec.schema.as_deref().unwrap_or_else(|| preset.map_or("public", |preset| preset.schema));
        let (plain, schema) = (schema.to_owned(), name(schema));
        let role = name(role);
        let mut grant = format!("grant usage on schema {schema} to {role}");
        match preset {
            Some(preset) if preset.tables.is_empty() => {
                write!(grant, "; grant select on all tables in schema {schema} to {role}").ok();
                write!(grant, "; grant select on all sequences in schema {schema} to {role}").ok();
            }
            Some(preset) => {
                for table in preset.tables {
                    write!(grant, "; grant select on {schema}.{table} to {role}").ok();
                }
            }
            None => write!(grant, "; grant select on the queue's table to {role}").unwrap_or_default(),
        }
        Ok(Self {
            schema: plain,
            begin: format!("begin transaction read only; set local search_path = {schema}"),
            text: format!("/* warroom */ select row_to_json(q)::text from (\n{statement}\n) q limit {ROWS}"),
            grant,
            missing: preset.map_or(&[], |preset| preset.missing),
        })
    }
}

/// A name in SQL, quoted.
fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::{PRESETS, Question};
    use crate::config::TargetSpec;
    use crate::model::{SQL_QUEUE_KINDS, TargetId};

    #[test]
    fn every_kind_but_the_operators_own_has_a_preset_and_names_are_quoted() {
        let presets: Vec<&str> = PRESETS.iter().map(|preset| preset.kind).collect();
        let kinds: Vec<&str> = SQL_QUEUE_KINDS.iter().copied().filter(|kind| *kind != "sql").collect();
        assert_eq!(presets, kinds);
        let mut spec = TargetSpec::new(TargetId::parse("jobs").expect("legal"), "procrastinate");
        spec.schema = Some("a\"; drop table x; --".into());
        let question = Question::of(&spec, "warroom").expect("asked");
        assert_eq!(question.begin.matches('"').count() % 2, 0);
        assert!(question.begin.ends_with(r#"= "a""; drop table x; --""#), "{}", question.begin);
    }
}
