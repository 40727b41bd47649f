//! Clears a namespace of a memcached the only way there is without emptying it: by raising the number that
//! the application puts into its keys. memcached lists no keys, so none can be removed by its prefix.

use std::future::Future;
use std::io;

use super::action::BriefAction;
use super::clear::renew::{Raise, raised_outcome};
use super::refusals::meant_for;
use crate::config::TargetSpec;
use crate::dial::{MemcachedDoor, MemcachedLine};
use crate::journal::Intended;
use crate::model::{Clearing, Intent, Namespace, Outcome, Plan, Refusal, SafeText, Timestamp, Way};

/// Longest key of a memcached, bytes.
const LONGEST: usize = 250;

/// What can be done to one memcached.
pub struct MemcachedActions {
    spec: TargetSpec,
    door: MemcachedDoor,
}

/// What must be known of it before.
struct Look {
    /// Its clock, seconds since 1970.
    clock: i64,
    /// Its process: another after a restart.
    pid: String,
    /// The version now; `None` when the key is not there.
    version: Option<u64>,
}

impl MemcachedActions {
    /// Actions on this target; connects when asked to.
    ///
    /// # Errors
    /// Its url is none: a sentence.
    pub fn new(spec: &TargetSpec) -> Result<Self, String> {
        Ok(Self { spec: spec.clone(), door: MemcachedDoor::of(spec)? })
    }

    /// The namespace and its version key, if that is what is wanted and can be had.
    fn wanted<'a>(&'a self, intent: &'a Intent) -> Result<(&'a Namespace, &'a str), Refusal> {
        let Intent::ClearNamespace { target, namespace, how } = intent else {
            return Err(Refusal::refused(&format!("a memcached cannot {}", intent.name())));
        };
        meant_for(intent, &self.spec.id)?;
        let known = self.spec.namespaces.iter().find(|known| known.prefix == namespace.prefix);
        let Some(known) = known else {
            return Err(Refusal::refused(&format!("{target} has no namespace {}", namespace.name)));
        };
        if known.protected {
            return Err(Refusal::refused(&format!("{} is protected on {target}", known.name)));
        }
        let Clearing { way, only_type, older_than, .. } = how;
        if matches!(way, Way::Expire { .. }) || only_type.is_some() || older_than.is_some() {
            return Err(Refusal::refused(
                "a memcached does not list its keys: all that can be done is to raise the namespace's version",
            ));
        }
        match known.version_key.as_deref() {
            Some(key) if is_key(key) => Ok((known, key)),
            Some(_) => Err(Refusal::refused(&format!(
                "the version_key of {} is none that a memcached takes: up to {LONGEST} bytes without blanks",
                known.name
            ))),
            None => Err(Refusal::refused(&format!(
                "a memcached does not list its keys: give {} a version_key in the config, the key whose number \
                 the application puts into its keys",
                known.name
            ))),
        }
    }

    /// Within the target's time limit; what fails is told in words.
    async fn timely<T>(&self, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let place = self.door.place();
        tokio::time::timeout(self.spec.timeout, work)
            .await
            .unwrap_or_else(|_| Err(format!("{place} gave no answer in time")))
    }

    async fn line(&self) -> Result<MemcachedLine, String> {
        self.door.open().await.map_err(|error| error.says.to_string())
    }

    async fn look(&self, line: &mut MemcachedLine, key: &str) -> Result<Look, String> {
        let stats = line.ask_stats("stats").await.map_err(|error| self.broken(&error))?;
        let field =
            |name: &str| stats.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        Ok(Look {
            clock: field("time").and_then(|time| time.parse().ok()).unwrap_or(0),
            pid: field("pid").unwrap_or_default().to_owned(),
            version: self.version(line, key).await?,
        })
    }

    async fn version(&self, line: &mut MemcachedLine, key: &str) -> Result<Option<u64>, String> {
        match line.get(key).await.map_err(|error| self.broken(&error))? {
            None => Ok(None),
            // A number that became shorter keeps its length, with blanks behind it.
            Some(value) => match value.trim().parse() {
                Ok(version) => Ok(Some(version)),
                Err(_) => Err(format!("its version key {key} holds no whole number")),
            },
        }
    }

    fn broken(&self, error: &io::Error) -> String {
        self.door.broken(error).says.to_string()
    }

    /// The prefix on this very start of the server.
    fn identity(&self, namespace: &Namespace, look: &Look) -> String {
        format!("{} on {} as process {}", namespace.prefix, self.door.place(), look.pid)
    }

    /// Raises it and reads it back.
    async fn raise(&self, plan: &Plan) -> Result<u64, Refusal> {
        let (namespace, key) = self.wanted(&plan.intent)?;
        let nothing = |why: String| Refusal::failed(&format!("nothing was done: {why}"));
        let opened = self.timely(async {
            let mut line = self.line().await?;
            let look = self.look(&mut line, key).await?;
            Ok((line, look))
        });
        let (mut line, look) = opened.await.map_err(nothing)?;
        if self.identity(namespace, &look) != plan.identity {
            return Err(Refusal::refused("nothing was done: another server answers there now"));
        }
        let raised = self.timely(async {
            let mut told = self.order(&mut line, &format!("incr {key} 1")).await?;
            if told == "NOT_FOUND" {
                let first = look.clock.to_string();
                let add = format!("add {key} 0 0 {}\r\n{first}", first.len());
                told = match self.order(&mut line, &add).await?.as_str() {
                    "STORED" => first,
                    // Somebody was quicker.
                    _ => self.order(&mut line, &format!("incr {key} 1")).await?,
                };
            }
            let version: u64 = told.parse().map_err(|_| format!("it answered {}", SafeText::new(&told)))?;
            let now = self.version(&mut line, key).await?;
            Ok((version, now))
        });
        match raised.await {
            Ok((version, Some(now))) if now >= version => Ok(version),
            Ok((version, _)) => Err(Refusal::failed(&format!(
                "raised {key} to {version}, but it was not there when read back: it was evicted, or somebody \
                 else writes it"
            ))),
            Err(why) => Err(Refusal::failed(&format!("{why}: look whether {key} was raised"))),
        }
    }

    async fn order(&self, line: &mut MemcachedLine, command: &str) -> Result<String, String> {
        line.order(command).await.map_err(|error| self.broken(&error))
    }
}

impl BriefAction for MemcachedActions {
    async fn planned(&self, intent: &Intent) -> Result<Plan, Refusal> {
        let (namespace, key) = self.wanted(intent)?;
        let looked = self.timely(async { self.look(&mut self.line().await?, key).await }).await;
        let look =
            looked.map_err(|why| Refusal::failed(&format!("cannot look at {}: {why}", self.spec.id)))?;
        let version = match look.version {
            Some(now) => format!("{now}, becomes {}", now.saturating_add(1)),
            // No version of before had so high a number.
            None => format!("not there, becomes {} (the server's clock)", look.clock),
        };
        let raise = Raise {
            intent: &raising(intent),
            target: &self.spec.id,
            namespace,
            key,
            version,
            missing: look
                .version
                .is_none()
                .then_some("nobody has set that key, or it was evicted: does the application read it?"),
            read_at: Timestamp::from_micros(look.clock.saturating_mul(1_000_000)),
            identity: self.identity(namespace, &look),
        };
        Ok(raise.plan())
    }

    async fn carried_out(&self, intended: &Intended) -> Result<Outcome, Refusal> {
        let plan = intended.plan();
        let (_, key) = self.wanted(&plan.intent)?;
        Ok(raised_outcome(plan, key, self.raise(plan).await))
    }
}

/// The same intent, by the one way there is.
fn raising(intent: &Intent) -> Intent {
    let mut intent = intent.clone();
    if let Intent::ClearNamespace { how, .. } = &mut intent {
        how.way = Way::Renew;
    }
    intent
}

/// Whether a memcached takes it as a key: nothing in it ends a word of its protocol.
fn is_key(key: &str) -> bool {
    (1..=LONGEST).contains(&key.len()) && !key.chars().any(|c| c.is_whitespace() || c.is_control())
}
