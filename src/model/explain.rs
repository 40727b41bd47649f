//! How PostgreSQL would run a statement: asked for, and as it was told. "Plan" means what an act would
//! touch; this is an explanation, and its parts are steps.

use serde::Serialize;

use super::{SafeText, TargetId, Timestamp};

/// A statement to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainAsk {
    /// The PostgreSQL that ran it.
    pub target: TargetId,
    /// Which statement.
    pub of: ExplainOf,
    /// Where names are looked up; `None` is what role and database have set.
    pub search_path: Option<String>,
}

/// Which statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExplainOf {
    /// The one a session runs, or ran last.
    Session {
        /// The session's process id.
        pid: i32,
        /// Only if the session with that pid was started then.
        started: Option<Timestamp>,
        /// Start of the statement that is meant; another one is explained too, and that is said.
        query_start: Option<Timestamp>,
    },
    /// One of `pg_stat_statements`.
    Statistics {
        /// `queryid`.
        query_id: i64,
        /// Only of this role.
        user: Option<String>,
        /// Only in this database.
        database: Option<String>,
    },
    /// A text of the operator's.
    Text {
        /// The statement, without values: `$1` stands for one.
        text: String,
        /// The database; `None` is the target's own.
        database: Option<String>,
    },
}

/// How a server would run a statement. Nothing was run to find out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// Whose statement: `web.3 (pid 4211), active for 12 s`; empty for a text of the operator's.
    pub who: SafeText,
    /// The session's process id, where it was one's.
    pub pid: Option<i32>,
    /// `queryid`, where it is known.
    pub query_id: Option<i64>,
    /// The statement.
    pub query: SafeText,
    /// The database it was planned in.
    pub database: SafeText,
    /// The role it was planned as.
    pub role: SafeText,
    /// Where names were looked up.
    pub search_path: SafeText,
    /// How many values are not known (`$1` …).
    pub parameters: u32,
    /// The server's measure of all the work; one page read in order is 1 unless it is set otherwise.
    pub cost: f64,
    /// Rows it expects to give.
    pub rows: f64,
    /// The steps, each before those that feed it.
    pub steps: Vec<ExplainStep>,
    /// Steps beyond the cap.
    pub left_out: u32,
    /// What must be known to read it right.
    pub notes: Vec<SafeText>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ExplainStep {
    /// Steps it feeds, above it.
    pub depth: u16,
    /// `Seq Scan on public.users u`.
    pub what: SafeText,
    /// The table it reads: `public.users`.
    pub relation: Option<SafeText>,
    /// Rows it expects to give, each time it runs.
    pub rows: f64,
    /// Cost until the first and until the last row, each time it runs, with the steps that feed it.
    pub startup_cost: f64,
    /// See `startup_cost`.
    pub total_cost: f64,
    /// How often it is expected to run: once for each row of the other side of a nested loop.
    pub loops: f64,
    /// Cost of this step alone, over all its runs.
    pub own_cost: f64,
    /// Its part of the whole cost, 0 to 1.
    pub share: f64,
    /// The one with the greatest part.
    pub costliest: bool,
    /// Conditions and keys: `filter`, `(email = $1)`.
    pub details: Vec<(String, SafeText)>,
    /// What deserves a look, in a sentence.
    pub beware: Vec<SafeText>,
}
