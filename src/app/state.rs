//! The whole state of the console.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::{Frame, History, Overlay, Viewpoint};
use crate::config::{ConfirmRule, Environment};
use crate::detect::{Back, Ended, Judge, Judgement};
use crate::model::{
    Actor, BackendKey, Namespace, PlanId, Refusal, SafeText, SessionLook, Severity, TargetId, Timestamp,
};
use crate::store::Store;

/// Everything there is to know: a pure function of this draws the screen.
#[derive(Debug, Default)]
pub struct App {
    /// The time, as the last message told it.
    pub now: Timestamp,
    /// What does not change while it runs.
    pub settings: Settings,
    /// What is known and concluded now.
    pub world: World,
    /// The moment stepped back to; `None` is live.
    pub past: Option<Box<World>>,
    /// Where the operator is.
    pub viewpoint: Viewpoint,
    /// What stands over the screen.
    pub overlay: Option<Overlay>,
    /// A line to be read in passing.
    pub notice: Option<Notice>,
    /// The session looked at closely last.
    pub looked: Option<Looked>,
    /// What happened, newest last.
    pub events: VecDeque<Event>,
    /// The moments that can be stepped to.
    pub history: History,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Counters of `update`: numbers of questions and events given out.
    pub numbers: Numbers,
    /// What was told already, so that nothing is told twice.
    pub told: Told,
}

/// A session looked at closely, when its page was opened.
#[derive(Clone, Debug)]
pub struct Looked {
    /// The question's number.
    pub number: u64,
    /// On which target.
    pub target: TargetId,
    /// Which session.
    pub key: BackendKey,
    /// The answer; `None` while it is awaited.
    pub told: Option<Result<SessionLook, Refusal>>,
}

/// What was told already.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// What was found without a config, and rebindings that were not taken.
    pub greeted: bool,
    /// The verdict announced last: its severity and `RESOURCE@TARGET`.
    pub announced: Option<(Severity, String)>,
    /// Acts seen to begin, with their titles, and whether their end was told; bounded.
    pub acts: VecDeque<(PlanId, SafeText, bool)>,
    /// The sessions ended last, and when, for a while: who started them may be back at once.
    pub ended: Option<(Ended, Timestamp)>,
    /// Who of them was back, for some minutes.
    pub back: Option<CameBack>,
}

/// An application that was back at once after its session was ended from here, and holds others up again.
#[derive(Clone, Debug)]
pub struct CameBack {
    /// Who, and where.
    pub it: Back,
    /// When its session was ended.
    pub ended_at: Timestamp,
    /// When it was seen again.
    pub seen_at: Timestamp,
}

/// Running numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    /// Questions asked.
    pub asks: u64,
    /// Events listed.
    pub events: u64,
}

/// What is known and concluded at one moment.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// When.
    pub at: Timestamp,
    /// What is known.
    pub store: Store,
    /// What is concluded.
    pub judgement: Judgement,
    /// What remembers the past conclusions; stands still in a moment of the past.
    pub judge: Judge,
    /// Findings the operator has acknowledged, by `rule RESOURCE@TARGET`.
    pub acknowledged: Vec<String>,
}

impl World {
    /// The same world as it stood in this moment.
    #[must_use]
    pub fn rewound(&self, frame: &Frame) -> Self {
        Self {
            at: frame.at,
            store: self.store.rewound(&frame.targets),
            judgement: frame.judgement.clone(),
            judge: Judge::default(),
            acknowledged: Vec::new(),
        }
    }
}

impl App {
    /// The world on the screen: now, or the moment stepped back to.
    pub fn shown(&self) -> &World {
        self.past.as_deref().unwrap_or(&self.world)
    }

    /// The time on the screen: now, or the moment stepped back to.
    pub fn moment(&self) -> Timestamp {
        self.past.as_ref().map_or_else(|| self.now.max(self.world.at), |past| past.at)
    }

    /// Why nothing can be done to a target now, if that is so: read-only, or looking at the past.
    pub fn why_no_action(&self) -> Option<String> {
        if self.settings.environment.read_only {
            Some(format!("read-only: {} says so", self.settings.environment.read_only_from))
        } else if self.past.is_some() {
            Some("this is the past: L returns".into())
        } else {
            None
        }
    }
}

/// What does not change while the console runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The environment.
    pub environment: Environment,
    /// Who sits here.
    pub actor: Actor,
    /// Name of the theme.
    pub theme: String,
    /// Names of all themes.
    pub themes: Vec<String>,
    /// Time zone of the clock times on the screen.
    pub zone: jiff::tz::TimeZone,
    /// Namespaces that can be cleared, by cache.
    pub namespaces: Vec<(TargetId, Namespace)>,
    /// The lab this console looks at, and the faults it knows.
    pub lab: Option<(PathBuf, Vec<String>)>,
    /// What was found because no config was given: told at the start.
    pub found: Option<String>,
    /// Rebound keys: command name and chord.
    pub keys: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            environment: Environment { confirm: ConfirmRule::Key, ..Environment::default() },
            actor: Actor::default(),
            theme: "terminal".into(),
            themes: Vec::new(),
            zone: jiff::tz::TimeZone::UTC,
            namespaces: Vec::new(),
            lab: None,
            found: None,
            keys: Vec::new(),
        }
    }
}

/// A line to be read in passing.
#[derive(Clone, Debug)]
pub struct Notice {
    /// What it says.
    pub says: String,
    /// How bad.
    pub severity: Severity,
    /// When it goes.
    pub until: Timestamp,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its running number.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What sort.
    pub kind: EventKind,
    /// One line.
    pub says: SafeText,
    /// The targets it tells of: several where many went the same way at once; none of what is no target's.
    pub of: Vec<TargetId>,
    /// What is the same in all that may be told together; empty where nothing may.
    pub topic: String,
}

/// The sorts of things that happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A finding came, grew or fell to this severity; `Ok` is an all-clear.
    Finding(Severity),
    /// A deploy.
    Deploy,
    /// An act began or ended, here or by somebody else on this bastion.
    Act,
    /// A target went away or came back.
    Target(Severity),
    /// A target was restarted, promoted or set otherwise.
    Noticed,
}
