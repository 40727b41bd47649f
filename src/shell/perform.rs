//! Plan, write down, act, write down: the one path of every act, from a key and from the command line.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use crate::actions::StopFlag;

use crate::actions::{ACTIONS, Action, PostgresActions, ProgressSink};
use crate::config::{Config, TargetSpec};
use crate::feed::Clock;
use crate::journal::{Intended, Journal};
use crate::model::{
    BackendKey, Confirm, ExplainAsk, Explanation, Intent, Mark, Outcome, OutcomeKind, Plan, PlanId, PlanLine,
    Refusal, SafeText, SessionLook, TargetId,
};
use crate::sources::look_at_session;

/// Longest a plan may take to read.
const PLAN: Duration = Duration::from_secs(5);

/// What can plan and act. Actions are made at their first use and kept, with their connections.
pub struct Hands {
    config: Arc<Config>,
    journal: Result<Journal, String>,
    clock: Clock,
    actions: Mutex<BTreeMap<TargetId, Arc<dyn Action>>>,
    /// Those of PostgreSQL once more by their own type: they can also look for who is meant.
    postgres: Mutex<BTreeMap<TargetId, Arc<PostgresActions>>>,
}

impl Hands {
    /// Hands for this config. Without a journal (`Err` says why) nothing will be done.
    pub fn new(config: Arc<Config>, journal: Result<Journal, String>, clock: Clock) -> Self {
        Self { config, journal, clock, actions: Mutex::default(), postgres: Mutex::default() }
    }

    /// The config it acts by.
    #[must_use]
    pub const fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Opens, on every target that can be acted on, what an act needs and could not get any more once the
    /// server is full; keeps what is open. Does nothing where nothing will ever be done. A target that does
    /// not answer says so where it is polled, and again when an act on it is planned.
    pub async fn stand_ready(&self) {
        if self.may_act().is_err() {
            return;
        }
        let mut opening = JoinSet::new();
        for spec in self.config.targets.iter().filter(|spec| spec.broken.is_none()) {
            if let Ok(action) = self.action_on(&spec.id).await {
                opening.spawn(async move { timeout(PLAN, action.stand_ready()).await.is_ok() });
            }
        }
        while opening.join_next().await.is_some() {}
    }

    /// Finds out, by reading only, what an intent would touch.
    ///
    /// # Errors
    /// Why it must not, cannot or need not be done. Under read-only nothing is even looked up.
    pub async fn plan(&self, intent: &Intent) -> Result<Plan, Refusal> {
        self.may_act()?;
        let mut plan = if let Intent::MarkDeploy { label, note } = intent {
            self.plan_mark(intent, label, note)?
        } else {
            let action = self.action(intent).await?;
            timeout(PLAN, action.plan(intent))
                .await
                .map_err(|_| Refusal::failed("the target did not answer within 5 s; nothing was done"))??
        };
        if self.config.environment.confirm == crate::config::ConfirmRule::Name
            && plan.confirm == Confirm::Key
            && let Some(target) = intent.target()
        {
            plan.confirm = Confirm::Name(target.to_string());
        }
        Ok(plan)
    }

    /// How a statement would be run: reads only, so it is told under read-only too.
    ///
    /// # Errors
    /// Why it cannot or must not be explained.
    pub async fn explain(&self, ask: &ExplainAsk) -> Result<Explanation, Refusal> {
        super::explain::explain(&self.config, ask).await
    }

    /// The sessions that have these pids now, for who knows no more of them.
    ///
    /// # Errors
    /// One is not there, or the target cannot be asked.
    pub async fn backends(&self, target: &TargetId, pids: &[i32]) -> Result<Vec<BackendKey>, Refusal> {
        self.postgres(target).await?.backends(pids).await
    }

    /// The wish to roll back the prepared transaction of this name.
    ///
    /// # Errors
    /// There is none, or the target cannot be asked.
    pub async fn prepared(&self, target: &TargetId, gid: &str) -> Result<Intent, Refusal> {
        self.postgres(target).await?.prepared(gid).await
    }

    /// The sessions whose end frees most.
    ///
    /// # Errors
    /// Nobody waits, nobody can be named, or the target cannot be asked.
    pub async fn root_blocker(&self, target: &TargetId) -> Result<Vec<BackendKey>, Refusal> {
        self.postgres(target).await?.root_blocker().await
    }

    /// Looks at one session closely. Reads only, so it is done under read-only too.
    ///
    /// # Errors
    /// It is gone, or the target cannot be asked.
    pub async fn look(&self, target: &TargetId, key: BackendKey) -> Result<SessionLook, Refusal> {
        look_at_session(self.spec(target)?, key).await
    }

    /// Whether anything will ever be done: under read-only, or without a journal, no action is even made.
    fn may_act(&self) -> Result<(), Refusal> {
        let environment = &self.config.environment;
        if environment.read_only {
            return Err(Refusal::refused(&format!("read-only: {} says so", environment.read_only_from)));
        }
        self.journal.as_ref().map(|_| ()).map_err(|why| Refusal::failed(why))
    }

    /// The actions on a PostgreSQL, made now or earlier.
    async fn postgres(&self, target: &TargetId) -> Result<Arc<PostgresActions>, Refusal> {
        self.may_act()?;
        let spec = self.spec(target)?;
        if spec.kind != "postgres" {
            return Err(Refusal::refused(&format!("{target} is no PostgreSQL: its kind is {}", spec.kind)));
        }
        let mut known = self.postgres.lock().await;
        let made = || Arc::new(PostgresActions::new(spec));
        Ok(known.entry(target.clone()).or_insert_with(made).clone())
    }

    fn spec(&self, id: &TargetId) -> Result<&TargetSpec, Refusal> {
        let spec = self.config.target(id).ok_or_else(|| {
            let known: Vec<_> = self.config.targets.iter().map(|spec| spec.id.as_str()).collect();
            Refusal::refused(&format!(
                "there is no target {id} in the config; known are {}",
                known.join(", ")
            ))
        })?;
        match &spec.broken {
            Some(why) => Err(Refusal::failed(why)),
            None => Ok(spec),
        }
    }

    /// Writes the intent down, carries it out, and writes down what came of it.
    pub async fn act(&self, plan: Plan, progress: ProgressSink, stop: StopFlag) -> Outcome {
        let id = plan.id.clone();
        let fail = |says: &str| Outcome::new(id.clone(), OutcomeKind::Failed, says);
        if self.config.environment.read_only {
            return Outcome::new(id, OutcomeKind::Refused, "read-only: nothing was done");
        }
        if let Intent::MarkDeploy { label, note } = &plan.intent {
            return self.mark(&plan, label, note).await;
        }
        let action = match self.action(&plan.intent).await {
            Ok(action) => action,
            Err(refusal) => return refusal.ends(&id),
        };
        let intended = match self.intend(plan).await {
            Ok(intended) => intended,
            Err(why) => return fail(&why),
        };
        let mut outcome = action.act(&intended, progress, stop).await;
        if let Err(why) = self.settle(outcome.clone()).await {
            outcome.says =
                SafeText::new(&format!("{}; but its outcome could not be written: {why}", outcome.says));
        }
        outcome
    }

    /// The action for an intent, made now or earlier.
    async fn action(&self, intent: &Intent) -> Result<Arc<dyn Action>, Refusal> {
        self.action_on(intent.target().ok_or_else(|| Refusal::refused("it names no target"))?).await
    }

    /// What can act on a target.
    async fn action_on(&self, id: &TargetId) -> Result<Arc<dyn Action>, Refusal> {
        self.may_act()?;
        let spec = self.spec(id)?;
        if spec.kind == "postgres" {
            return Ok(self.postgres(id).await?);
        }
        let mut known = self.actions.lock().await;
        if let Some(action) = known.get(id) {
            return Ok(action.clone());
        }
        let (_, make) = ACTIONS.iter().find(|(kind, _)| *kind == spec.kind).ok_or_else(|| {
            Refusal::refused(&format!("nothing can be done to a target of kind {}", spec.kind))
        })?;
        let action: Arc<dyn Action> = make(spec).map_err(|why| Refusal::failed(&why))?.into();
        known.insert(id.clone(), action.clone());
        Ok(action)
    }

    fn journal(&self) -> Result<Journal, String> {
        self.journal.clone()
    }

    async fn intend(&self, plan: Plan) -> Result<Intended, String> {
        let (journal, at) = (self.journal()?, (self.clock)());
        off_thread(move || journal.intend(plan, at).map_err(|err| err.to_string())).await
    }

    async fn settle(&self, outcome: Outcome) -> Result<(), String> {
        let (journal, at) = (self.journal()?, (self.clock)());
        off_thread(move || journal.settle(&outcome, at).map_err(|err| err.to_string())).await
    }

    fn plan_mark(&self, intent: &Intent, label: &str, note: &str) -> Result<Plan, Refusal> {
        let label = SafeText::new(label);
        if label.is_empty() || label.as_str().len() > 200 {
            return Err(Refusal::refused(
                "a deploy's label is 1 to 200 printable characters, such as v8.1.2",
            ));
        }
        let at = (self.clock)();
        let mut lines = vec![PlanLine::new("label", label.as_str())];
        if !note.is_empty() {
            lines.push(PlanLine::new("note", note));
        }
        Ok(Plan {
            id: PlanId(format!("m{:x}-{:x}", at.as_micros(), std::process::id())),
            intent: intent.clone(),
            read_at: at,
            title: SafeText::new(&format!("Mark deploy {label}")),
            lines,
            warnings: Vec::new(),
            gentler: None,
            verb: SafeText::new("mark it"),
            confirm: Confirm::Key,
            touches: 0,
            frees: None,
            identity: label.to_string(),
        })
    }

    /// A mark touches no target: its line in the journal is the whole act.
    async fn mark(&self, plan: &Plan, label: &str, note: &str) -> Outcome {
        let at = (self.clock)();
        let id = plan.id.0.clone();
        let written = match self.journal() {
            Ok(journal) => {
                let mark = Mark {
                    id: id.clone(),
                    label: SafeText::new(label),
                    note: SafeText::new(note),
                    by: SafeText::new(&journal.author().actor.to_string()),
                };
                off_thread(move || journal.mark(&mark, at).map_err(|err| err.to_string())).await
            }
            Err(why) => Err(why),
        };
        match written {
            Ok(()) => {
                let says = format!("marked deploy {}", SafeText::new(label));
                let mut outcome = Outcome::new(plan.id.clone(), OutcomeKind::Done, &says);
                outcome.mark = Some(id);
                outcome
            }
            Err(why) => Outcome::new(plan.id.clone(), OutcomeKind::Failed, &why),
        }
    }
}

/// The journal waits for a disk: not on the thread that draws.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|err| Err(format!("writing the journal: {err}")))
}
