//! Carries out what `update` asks for, each in a task of its own; answers come back as messages.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::perform::Hands;
use crate::actions::StopFlag;
use crate::app::{Effect, LabAsk, Msg};
use crate::lab;
use crate::model::{
    At, BackendKey, ExplainAsk, Fact, Intent, Outcome, OutcomeKind, Plan, PlanId, Progress, Refusal, TargetId,
};

/// Longest wait for an act to come to its end once the console shall end.
const LAST_WAIT: Duration = Duration::from_millis(700);
/// Time from the first poll to the opening of the sessions that are kept for acts.
const READY_FIRST: Duration = Duration::from_secs(1);
/// Time from one look after the kept sessions to the next.
const READY_AGAIN: Duration = Duration::from_secs(15);
/// Progress that may wait to be shown.
const PROGRESS: usize = 16;

/// What is under way, and what the loop has to do by itself.
pub(super) struct Effects {
    hands: Arc<Hands>,
    answers: mpsc::Sender<Msg>,
    stop: StopFlag,
    acting: Option<JoinHandle<()>>,
    /// Acts of ours, which come back once more with the journal.
    own: Vec<PlanId>,
    asks: Asks,
    quit: bool,
    written: Vec<u8>,
}

/// What only the loop can do.
#[derive(Debug, Default)]
struct Asks {
    suspend: bool,
    redraw: bool,
    poll_now: bool,
}

impl Effects {
    pub(super) fn new(hands: Hands, answers: mpsc::Sender<Msg>) -> Self {
        Self {
            hands: Arc::new(hands),
            answers,
            stop: StopFlag::default(),
            acting: None,
            own: Vec::new(),
            asks: Asks::default(),
            quit: false,
            written: Vec::new(),
        }
    }

    /// Keeps ready, as long as the console is open, what an act needs on a server that fills up.
    pub(super) fn stand_ready(&self) {
        let hands = self.hands.clone();
        tokio::spawn(async move {
            // The polls come first: where a role may open one session only, it is theirs.
            tokio::time::sleep(READY_FIRST).await;
            loop {
                hands.stand_ready().await;
                tokio::time::sleep(READY_AGAIN).await;
            }
        });
    }

    /// Carries out an effect that needs neither theme nor terminal.
    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Plan(number, intent) => self.plan(number, intent),
            Effect::Explain(number, ask) => self.explain(number, *ask),
            Effect::Look(number, target, key) => self.look(number, target, key),
            Effect::Act(plan) => self.act(*plan),
            Effect::StopAct => self.stop.stop(),
            Effect::PauseAct(paused) => self.stop.pause(paused),
            Effect::HurryAct(full) => self.stop.hurry(full),
            Effect::Lab(dir, ask) => self.lab(dir, ask),
            Effect::PollNow => self.asks.poll_now = true,
            Effect::Redraw => self.asks.redraw = true,
            Effect::Suspend => self.asks.suspend = true,
            Effect::Quit => self.quit = true,
            Effect::Announce { .. } | Effect::Copy(_) | Effect::Theme(_) => {}
        }
    }

    fn plan(&self, number: u64, intent: Intent) {
        let (hands, answers) = (self.hands.clone(), self.answers.clone());
        let plan = async move { hands.plan(&intent).await };
        tokio::spawn(async move {
            let refusal = |says: &str| Err(Refusal::failed(says));
            let planned = guarded(plan).await.unwrap_or_else(|| {
                refusal("an internal error while looking what it would touch: nothing was done")
            });
            answers.send(Msg::Planned(number, Box::new(planned))).await.ok();
        });
    }

    fn explain(&self, number: u64, ask: ExplainAsk) {
        let (hands, answers) = (self.hands.clone(), self.answers.clone());
        let explain = async move { hands.explain(&ask).await };
        tokio::spawn(async move {
            let explained = guarded(explain).await;
            let explained =
                explained.unwrap_or_else(|| Err(Refusal::failed("an internal error while asking")));
            answers.send(Msg::Explained(number, Box::new(explained))).await.ok();
        });
    }

    fn look(&self, number: u64, target: TargetId, key: BackendKey) {
        let (hands, answers) = (self.hands.clone(), self.answers.clone());
        let look = async move { hands.look(&target, key).await };
        tokio::spawn(async move {
            let failed = || Err(Refusal::failed("an internal error while looking at the session"));
            let looked = guarded(look).await.unwrap_or_else(failed);
            answers.send(Msg::Looked(number, Box::new(looked))).await.ok();
        });
    }

    fn act(&mut self, plan: Plan) {
        self.stop = StopFlag::default();
        self.own.push(plan.id.clone());
        let (hands, answers, stop) = (self.hands.clone(), self.answers.clone(), self.stop.clone());
        let (progress, told) = mpsc::channel(PROGRESS);
        tokio::spawn(pass_on(told, self.answers.clone()));
        self.acting = Some(tokio::spawn(async move {
            let id = plan.id.clone();
            let act = async move { hands.act(plan, progress, stop).await };
            let outcome = guarded(act).await.unwrap_or_else(|| {
                let says =
                    "an internal error in the middle of it: look what was done, and at `warroom journal`";
                Outcome::new(id, OutcomeKind::Failed, says)
            });
            answers.send(Msg::Ended(Box::new(outcome))).await.ok();
        }));
    }

    fn lab(&self, dir: PathBuf, ask: LabAsk) {
        let answers = self.answers.clone();
        tokio::spawn(async move {
            let asked = tokio::task::spawn_blocking(move || match ask {
                LabAsk::Break(name) => lab::cause(&dir, &name)
                    .map(|fault| format!("the lab is broken on purpose: {}", fault.says)),
                LabAsk::Heal => lab::heal(&dir).map(|names| match names.as_slice() {
                    [] => "nothing in the lab was broken".into(),
                    names => format!("healed in the lab: {}", names.join(", ")),
                }),
            });
            let says = match asked.await {
                Ok(Ok(says)) => says,
                Ok(Err(err)) => format!("the lab: {err}"),
                Err(_) => "the lab: an internal error".into(),
            };
            answers.send(Msg::Say(says)).await.ok();
        });
    }

    /// Asks an act under way to stop at its next safe point, and gives it a moment to write down what
    /// came of it. What is not written then shows at the next start as an act of unknown outcome.
    pub(super) async fn end(&mut self) {
        if let Some(acting) = self.acting.take().filter(|acting| !acting.is_finished()) {
            self.stop.stop();
            timeout(LAST_WAIT, acting).await.ok();
        }
    }

    /// Whether this came from the journal about an act of our own.
    pub(super) fn is_echo(&self, msg: &Msg) -> bool {
        match msg {
            Msg::Fact(At { it: Fact::Intended(plan), .. }) => self.own.contains(&plan.id),
            Msg::Fact(At { it: Fact::Settled(outcome), .. }) => self.own.contains(&outcome.plan),
            _ => false,
        }
    }

    /// Bytes to be sent with the next frame.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(bytes);
    }

    pub(super) fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    pub(super) const fn quitting(&self) -> bool {
        self.quit
    }

    pub(super) const fn take_suspend(&mut self) -> bool {
        std::mem::replace(&mut self.asks.suspend, false)
    }

    pub(super) const fn take_redraw(&mut self) -> bool {
        std::mem::replace(&mut self.asks.redraw, false)
    }

    pub(super) const fn take_poll_now(&mut self) -> bool {
        std::mem::replace(&mut self.asks.poll_now, false)
    }
}

/// Runs it in a task of its own, so that a panic in it ends nothing else: `None`.
async fn guarded<T: Send + 'static>(it: impl Future<Output = T> + Send + 'static) -> Option<T> {
    tokio::spawn(it).await.ok()
}

/// Passes progress on; what nobody has read yet gives way to nothing, the act never waits for the screen.
async fn pass_on(mut told: mpsc::Receiver<Progress>, answers: mpsc::Sender<Msg>) {
    while let Some(progress) = told.recv().await {
        answers.send(Msg::Progress(progress)).await.ok();
    }
}
