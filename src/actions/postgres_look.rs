//! A fresh look before an act: everybody, who waits for whom, and the meant sessions closely.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Error, Row as _};
use tokio::time::{Instant, sleep};

use crate::detect::blocking::{Forest, Node};
use crate::dial::{PostgresActivity, as_sent, postgres_text, postgres_time};
use crate::model::{
    Backend, BackendKey, BackendState, PreparedTransaction, Refusal, SafeText, SeenSession, Timestamp,
};

const SESSIONS: &str = as_sent(include_str!("sql/sessions_130.sql"));
const READERS: &str = as_sent(include_str!("sql/replay_readers_130.sql"));
const HOLDS: &str = as_sent(include_str!("sql/holds_130.sql"));

/// What was seen.
pub(super) struct Look {
    pub(super) activity: PostgresActivity,
    pub(super) forest: Forest,
    /// Of the meant sessions, those that are still there.
    pub(super) closely: HashMap<BackendKey, Closely>,
    /// What the meant sessions hold: `public.users (AccessExclusive)`, the strongest first.
    pub(super) holds: Vec<String>,
    /// Locks beyond those listed.
    pub(super) more_holds: u64,
}

/// What is known of one meant session besides its activity.
pub(super) struct Closely {
    pub(super) xact_start: Option<Timestamp>,
    /// Its role is a superuser.
    pub(super) of_superuser: bool,
    /// We may signal it.
    pub(super) allowed: bool,
    /// What would allow us to.
    pub(super) grant: String,
}

impl Look {
    /// Looks; closely only at `keys`.
    pub(super) async fn take(connection: &mut PgConnection, keys: &[BackendKey]) -> Result<Self, Error> {
        let mut activity = PostgresActivity::read(connection).await?;
        // Of a standby's replay the server does not tell whom it waits for.
        let replay = |one: &&mut Backend| one.kind.as_str() == "startup" && one.waits_for_lock();
        if let Some(replay) = activity.backends.iter_mut().find(replay) {
            replay.blocked_by =
                sqlx::query_scalar(READERS).bind(replay.key.pid).fetch_all(&mut *connection).await?;
        }
        let forest = Forest::build(&activity.backends, &[]);
        let mut look = Self { activity, forest, closely: HashMap::new(), holds: Vec::new(), more_holds: 0 };
        if keys.is_empty() {
            return Ok(look);
        }
        let pids: Vec<i32> = keys.iter().map(|key| key.pid).collect();
        for row in sqlx::query(SESSIONS).bind(&pids).fetch_all(&mut *connection).await? {
            let key =
                BackendKey { pid: row.try_get(0)?, started: postgres_time(&row, 1)?.unwrap_or_default() };
            let closely = Closely {
                xact_start: postgres_time(&row, 2)?,
                of_superuser: row.try_get(3)?,
                allowed: row.try_get(4)?,
                grant: row.try_get(5)?,
            };
            look.closely.insert(key, closely);
        }
        // A name can vanish between the lock and its look-up; then the plan goes without.
        let rows = sqlx::query(HOLDS).bind(&pids).fetch_all(&mut *connection).await.unwrap_or_default();
        for row in &rows {
            let name = postgres_text(row, 0)?;
            look.holds.push(format!(
                "{} ({})",
                name.as_str().trim_start_matches("public."),
                postgres_text(row, 1)?
            ));
            look.more_holds = u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0);
        }
        look.more_holds = look.more_holds.saturating_sub(look.holds.len() as u64);
        Ok(look)
    }

    /// The session of this very identity.
    pub(super) fn find(&self, key: BackendKey) -> Option<(usize, &Backend)> {
        self.activity.backends.iter().enumerate().find(|(_, one)| one.key == key)
    }

    /// Why a session of this identity is not there.
    pub(super) fn absence(&self, key: BackendKey) -> Refusal {
        match self.activity.backends.iter().find(|one| one.key.pid == key.pid) {
            Some(other) => Refusal::refused(&format!(
                "pid {} is another session now ({}, started {}): nothing was done",
                key.pid,
                other.who(),
                other.key.started
            )),
            None => Refusal::nothing_to_do(&format!("pid {} has ended already", key.pid)),
        }
    }

    /// Whether this session may be signalled, and is one that may be ended at all.
    pub(super) fn check(&self, backend: &Backend) -> Result<(), Refusal> {
        let pid = backend.key.pid;
        if !backend.is_client() {
            let advice = match backend.kind.as_str() {
                "" => "the role may not see what it is: grant pg_monitor".to_owned(),
                "parallel worker" => match backend.leader_pid {
                    Some(leader) => format!("it works for pid {leader}: end that one"),
                    None => "it works for another session: end that one".into(),
                },
                "autovacuum worker" if backend.query.as_str().contains("to prevent wraparound") => {
                    "it prevents wraparound and must run to its end".into()
                }
                "autovacuum worker" => "it yields by itself to who waits for it".into(),
                "walsender" => "it feeds a standby or a backup".into(),
                _ => "it is a part of the server".into(),
            };
            let kind = if backend.kind.is_empty() { "hidden process" } else { backend.kind.as_str() };
            return Err(Refusal::refused(&format!("pid {pid} is a {kind}: {advice}")));
        }
        match self.closely.get(&backend.key) {
            Some(closely) if !closely.allowed && closely.of_superuser => Err(Refusal::refused(&format!(
                "pid {pid} belongs to a superuser: only a superuser may signal it"
            ))),
            Some(closely) if !closely.allowed => {
                Err(Refusal::refused(&format!("not allowed to signal pid {pid}; {}", closely.grant)))
            }
            _ => Ok(()),
        }
    }

    /// Whether ending it is more than ending an application's session: one of ours, or a superuser's.
    pub(super) fn is_delicate(&self, backend: &Backend) -> bool {
        backend.application_name.as_str().starts_with("warroom")
            || self.closely.get(&backend.key).is_some_and(|closely| closely.of_superuser)
    }

    /// What must not change between the dialog and the act. `free`: whatever it does by then, it is meant.
    pub(super) fn seen(&self, at: usize, backend: &Backend, free: bool) -> SeenSession {
        let transaction = self.closely.get(&backend.key).and_then(|closely| closely.xact_start);
        let holds_up = !self.forest.behind(&[Node::Backend(at)]).is_empty();
        // A lock of the session outlives its transactions.
        let bound = match backend.state {
            BackendState::Active => holds_up,
            BackendState::Idle => !holds_up,
            _ => true,
        };
        SeenSession { key: backend.key, transaction, statement: None, bound: bound && !free }
    }

    /// The identities of who waits behind these, with the statement that waits.
    pub(super) fn waiting_behind(&self, nodes: &[Node]) -> Vec<Waiter> {
        self.forest
            .behind(nodes)
            .into_iter()
            .filter_map(|node| match node {
                Node::Backend(at) => self.activity.backends.get(at),
                Node::Prepared(_) | Node::UnnamedPrepared => None,
            })
            .map(|one| Waiter { key: one.key, query_start: one.query_start })
            .collect()
    }

    /// The same look with this prepared transaction as the holder of what these wait for.
    pub(super) fn with_prepared(mut self, one: PreparedTransaction) -> Self {
        self.forest = Forest::build(&self.activity.backends, &[one]);
        self
    }

    /// How many of those that waited do so no longer.
    pub(super) fn freed(&self, waiters: &[Waiter]) -> u64 {
        let still = |waiter: &&Waiter| {
            self.find(waiter.key).is_some_and(|(_, now)| {
                let waits = now.waits_for_lock() || !now.blocked_by.is_empty();
                waits && now.query_start == waiter.query_start
            })
        };
        (waiters.len() - waiters.iter().filter(still).count()) as u64
    }

    /// Looks until all of these go on, `within` at the longest; what was seen last.
    pub(super) async fn once_freed(
        connection: &mut PgConnection,
        waiters: &[Waiter],
        within: Duration,
    ) -> Result<Self, Error> {
        let began = Instant::now();
        loop {
            let look = Self::take(connection, &[]).await?;
            if look.freed(waiters) == waiters.len() as u64 || began.elapsed() >= within {
                return Ok(look);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What became of those that waited: `1 of 2 that waited goes on; the rest waits behind report (pid 4)`.
    pub(super) fn told_of(&self, waiters: &[Waiter]) -> String {
        if waiters.is_empty() {
            return "nobody waited behind it".to_owned();
        }
        let (all, freed) = (waiters.len() as u64, self.freed(waiters));
        let rest = match (all - freed, self.next_root()) {
            (0, _) | (_, None) => String::new(),
            (_, Some((root, _))) => format!("; the rest waits behind {root}"),
        };
        format!("{freed} of {all} that waited {} on{rest}", if freed == 1 { "goes" } else { "go" })
    }

    /// Who holds up what is still blocked: `migrate (pid 4302)`; with its identity, if it can be ended.
    pub(super) fn next_root(&self) -> Option<(SafeText, Option<BackendKey>)> {
        let root = self.forest.roots.first()?;
        match root.nodes.first()? {
            Node::Backend(at) => self.activity.backends.get(*at).map(|one| {
                let key = (root.nodes.len() == 1 && one.is_client()).then_some(one.key);
                (SafeText::new(&format!("{} (pid {})", one.who(), one.key.pid)), key)
            }),
            Node::Prepared(_) | Node::UnnamedPrepared => {
                Some((SafeText::new("a prepared transaction"), None))
            }
        }
    }
}

/// One session that waited, and the statement it waited with.
pub(super) struct Waiter {
    key: BackendKey,
    query_start: Option<Timestamp>,
}
