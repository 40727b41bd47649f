//! The actions on one PostgreSQL server, over a session of their own that is kept once it is open:
//! a server out of connections can still be helped.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use tokio::sync::Mutex;

use super::action::BriefAction;
use super::kept_session::{KeptSession, NoAnswer};
use super::postgres_look::Look;
use super::refusals::meant_for;
use super::{cancel_backend, rollback_prepared, terminate_backend};
use crate::config::TargetSpec;
use crate::detect::blocking::Node;
use crate::dial::PostgresDial;
use crate::journal::Intended;
use crate::model::{BackendKey, Intent, Outcome, Plan, PollError, PollErrorKind, Refusal, TargetId};

/// What can be done to one PostgreSQL server.
pub struct PostgresActions {
    pub(super) target: TargetId,
    pub(super) dial: Result<PostgresDial, String>,
    pub(super) patience: Duration,
    /// Whoever uses it has the turn: nobody opens a second one meanwhile.
    kept: Mutex<KeptSession>,
}

impl PostgresActions {
    /// Connects at the first plan. A URL that cannot be understood makes every plan a refusal.
    #[must_use]
    pub fn new(spec: &TargetSpec) -> Self {
        Self {
            target: spec.id.clone(),
            dial: PostgresDial::new(spec),
            patience: spec.timeout,
            kept: Mutex::default(),
        }
    }

    /// Opens the session, or sees that it still lives: it is to be there when the server has no slot left.
    ///
    /// # Errors
    /// What the server or the network said.
    pub async fn open(&self) -> Result<(), Refusal> {
        let mut kept = self.kept.lock().await;
        let dial = self.dial.as_ref().map_err(|why| Refusal::failed(why))?;
        kept.open(dial, self.patience).await.map_err(|why| self.no_answer(&why, &[]))
    }

    /// The sessions whose end frees most, from a fresh look.
    ///
    /// # Errors
    /// Nobody waits, or what blocks is not a session that can be ended.
    pub async fn root_blocker(&self) -> Result<Vec<BackendKey>, Refusal> {
        let mut kept = self.kept.lock().await;
        let (look, _) = self.look(&mut kept, &[]).await?;
        if look.forest.waiters == 0 {
            return Err(Refusal::nothing_to_do(&format!("nobody waits for a lock on {}", self.target)));
        }
        let Some(offer) = look.forest.offer() else {
            return Err(Refusal::refused(
                "sessions wait, but no session can be named whose end would free them (a deadlock the server \
                 will resolve, or the holder changed meanwhile): look again",
            ));
        };
        let nodes = offer.roots.iter().flat_map(|root| &look.forest.roots[*root].nodes);
        nodes
            .map(|node| match node {
                Node::Backend(at) => Ok(look.activity.backends[*at].key),
                Node::Prepared(_) | Node::UnnamedPrepared => Err(Refusal::refused(
                    "a prepared transaction holds the lock and has no session: commit it or roll it back \
                     (its name is in pg_prepared_xacts; `kill --prepared NAME` rolls it back)",
                )),
            })
            .collect()
    }

    /// The sessions that have these pids now, from one look.
    ///
    /// # Errors
    /// One of them is not there, or the server could not be asked.
    pub async fn backends(&self, pids: &[i32]) -> Result<Vec<BackendKey>, Refusal> {
        let mut kept = self.kept.lock().await;
        let (look, _) = self.look(&mut kept, &[]).await?;
        let key =
            |pid: &i32| look.activity.backends.iter().find(|one| one.key.pid == *pid).map(|one| one.key);
        pids.iter()
            .map(|pid| {
                key(pid).ok_or_else(|| {
                    Refusal::nothing_to_do(&format!("no session has pid {pid} on {}", self.target))
                })
            })
            .collect()
    }

    /// The wish to roll back the prepared transaction of this name.
    ///
    /// # Errors
    /// There is none, or the server could not be asked.
    pub async fn prepared(&self, gid: &str) -> Result<Intent, Refusal> {
        rollback_prepared::find(self, &mut *self.kept.lock().await, gid).await
    }

    /// The session that has this pid now.
    ///
    /// # Errors
    /// There is none, or the server could not be asked.
    pub async fn backend(&self, pid: i32) -> Result<BackendKey, Refusal> {
        let found = self.backends(&[pid]).await?;
        found.first().copied().ok_or_else(|| Refusal::nothing_to_do("no session was named"))
    }

    /// A fresh look at everybody and, more closely, at these, with the session it was taken on.
    pub(super) async fn look<'k>(
        &self,
        kept: &'k mut KeptSession,
        keys: &[BackendKey],
    ) -> Result<(Look, &'k mut PgConnection), Refusal> {
        let dial = self.dial.as_ref().map_err(|why| Refusal::failed(why))?;
        kept.look(dial, keys, self.patience).await.map_err(|why| self.no_answer(&why, keys))
    }

    fn no_answer(&self, why: &NoAnswer, keys: &[BackendKey]) -> Refusal {
        match why {
            NoAnswer::Said(error) => self.no_session(error, keys),
            NoAnswer::Silent => {
                let place = self.dial.as_ref().map_or("the server", PostgresDial::place);
                Refusal::failed(&format!("{place} gave no answer within {:.0?}", self.patience))
            }
        }
    }

    /// Why there is no session to ask on; of a full server, what can be done about these all the same.
    fn no_session(&self, error: &PollError, keys: &[BackendKey]) -> Refusal {
        if error.kind != PollErrorKind::Exhausted {
            return Refusal::failed(&error.to_string());
        }
        let (place, role) =
            self.dial.as_ref().map_or(("the server", "warroom"), |dial| (dial.place(), dial.role()));
        let end = match keys {
            [one] => format!("select pg_terminate_backend({})", one.pid),
            _ => "select pg_terminate_backend(pid)".to_owned(),
        };
        Refusal::failed(&format!(
            "{place} has no slot left and no session of ours was open there: a superuser still gets in on the \
             reserved slots and can run {end}; from version 16 on, reserved_connections and grant \
             pg_use_reserved_connections to {role} keep a slot for us"
        ))
    }

    /// What the server said to a signal: the mend of a missing right is another than for reading.
    pub(super) fn signal_words(&self, error: &sqlx::Error) -> String {
        let database = error.as_database_error();
        if database.and_then(sqlx::error::DatabaseError::code).is_none_or(|code| code != "42501") {
            return self.words(error);
        }
        let role = self.dial.as_ref().map_or("the role", PostgresDial::role);
        format!(
            "{} (42501): grant pg_signal_backend to {role}, and have a superuser end what a superuser owns",
            database.map_or("not allowed", |it| it.message())
        )
    }

    /// What an error on an open session means, in words.
    pub(super) fn words(&self, error: &sqlx::Error) -> String {
        self.dial.as_ref().map_or_else(Clone::clone, |dial| dial.error(error).says.to_string())
    }
}

impl BriefAction for PostgresActions {
    async fn stand_ready(&self) -> Result<(), Refusal> {
        self.open().await
    }

    async fn planned(&self, intent: &Intent) -> Result<Plan, Refusal> {
        meant_for(intent, &self.target)?;
        let kept = &mut *self.kept.lock().await;
        match intent {
            Intent::TerminateBackend { backends, .. } => terminate_backend::plan(self, kept, backends).await,
            Intent::CancelBackend { backend, query_start, .. } => {
                cancel_backend::plan(self, kept, *backend, *query_start).await
            }
            Intent::RollbackPrepared { gid, database, .. } => {
                rollback_prepared::plan(self, kept, gid, database).await
            }
            other => Err(Refusal::refused(&format!("a PostgreSQL server cannot {}", other.name()))),
        }
    }

    async fn carried_out(&self, intended: &Intended) -> Result<Outcome, Refusal> {
        let plan = intended.plan();
        meant_for(&plan.intent, &self.target)?;
        let kept = &mut *self.kept.lock().await;
        match &plan.intent {
            Intent::TerminateBackend { backends, .. } => {
                terminate_backend::act(self, kept, plan, backends).await
            }
            Intent::CancelBackend { backend, query_start: Some(query_start), .. } => {
                cancel_backend::act(self, kept, plan, *backend, *query_start).await
            }
            Intent::RollbackPrepared { gid, database, .. } => {
                rollback_prepared::act(self, kept, plan, gid, database).await
            }
            _ => Err(Refusal::refused("the plan does not say which statement is meant")),
        }
    }
}
