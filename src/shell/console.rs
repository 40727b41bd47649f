//! The loop that owns the state: everything that happens goes through `update`, and nothing in here
//! waits for a server, a disk or the terminal.

use std::io;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::effects::Effects;
use super::input::Input;
use super::notify::Announcer;
use super::pace::Pace;
use super::panics::Panics;
use super::{Ending, Line, Screen, Tty, clock, signals};
use crate::app::{self, App, Chord, Effect, Msg};
use crate::feed::Live;
use crate::model::{Resource, Severity};
use crate::view::{self, Theme};

/// A terminal that is being resized tells it many times a second.
const RESIZE_GAP: Duration = Duration::from_millis(30);
/// Between two tries to send what a stalled line did not take.
const BEHIND: Duration = Duration::from_millis(25);

/// Everything the loop holds.
pub(super) struct Console {
    pub(super) app: App,
    pub(super) theme: Theme,
    /// Whether the terminal knows more than 256 colours.
    pub(super) true_colour: bool,
    pub(super) tty: Tty,
    pub(super) line: Line,
    pub(super) screen: Screen,
    pub(super) pace: Pace,
    pub(super) announcer: Announcer,
    pub(super) effects: Effects,
    pub(super) panics: Panics,
    pub(super) panic_on: Option<char>,
}

/// What comes in beside the facts.
pub(super) struct Inlets {
    pub(super) input: mpsc::Receiver<Input>,
    pub(super) answers: mpsc::Receiver<Msg>,
    pub(super) endings: mpsc::Receiver<Ending>,
}

/// Why the loop ended.
pub(super) enum End {
    /// The operator left.
    Quit,
    /// Something else ended it.
    Ending(Ending),
}

impl Console {
    /// Draws the first frame, before anybody is asked anything.
    pub(super) fn first_frame(&mut self) -> io::Result<()> {
        self.update(Msg::Tick);
        self.draw()
    }

    /// Runs until the operator leaves or something ends it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) async fn run(&mut self, mut feed: Live, mut inlets: Inlets) -> io::Result<End> {
        let mut continued = signals::continued()?;
        let mut resize_at: Option<Instant> = None;
        let mut tick_at = next_second();
        let mut feeding = true;
        loop {
            if self.effects.quitting() {
                return Ok(End::Quit);
            }
            let due = self.pace.next().into_iter().chain(resize_at).min();
            tokio::select! {
                biased;
                Some(ending) = inlets.endings.recv() => return Ok(End::Ending(ending)),
                Some(input) = inlets.input.recv() => match input {
                    Input::Resized => resize_at = resize_at.or(Some(Instant::now() + RESIZE_GAP)),
                    Input::Key(chord) => {
                        self.key(chord);
                        self.pace.key();
                    }
                    Input::Paste(text) => {
                        self.update(Msg::Paste(text));
                        self.pace.key();
                    }
                },
                Some(()) = continued.recv() => {
                    self.tty.enter_again()?;
                    self.announcer.forget();
                    resize_at = Some(Instant::now());
                }
                Some(msg) = inlets.answers.recv() => if !self.effects.is_echo(&msg) {
                    self.update(msg);
                    self.pace.key();
                },
                fact = feed.next(), if feeding => match fact {
                    Some(fact) => {
                        self.update(Msg::Fact(fact));
                        self.pace.fact(Instant::now());
                    }
                    None => feeding = false,
                },
                () = sleep_until(tick_at) => {
                    tick_at = next_second();
                    self.tick(&mut feed);
                    // A key in the same moment can swallow the news of a new size.
                    if Tty::size() != self.app.size {
                        resize_at = resize_at.or(Some(Instant::now()));
                    }
                }
                () = sleep_until(due.unwrap_or(tick_at)), if due.is_some() => {}
                () = sleep(BEHIND), if !self.line.is_clear() => self.line.go_on()?,
            }
            if self.effects.take_poll_now() {
                feed.poll_now();
            }
            self.do_what_is_due(&mut resize_at)?;
        }
    }

    fn do_what_is_due(&mut self, resize_at: &mut Option<Instant>) -> io::Result<()> {
        let now = Instant::now();
        if resize_at.is_some_and(|at| at <= now) {
            *resize_at = None;
            let (columns, rows) = Tty::size();
            self.screen.resize(columns, rows);
            self.update(Msg::Resize(columns, rows));
            self.pace.key();
        }
        if self.effects.take_suspend() {
            self.tty.suspend()?;
            self.announcer.forget();
            self.screen.forget();
            self.pace.key();
        }
        if self.effects.take_redraw() {
            self.screen.forget();
            self.pace.key();
        }
        if self.pace.judge_due(now) {
            self.settle();
            if self.pace.opening(now) {
                self.pace.news();
            }
        }
        if self.pace.draw_due(now) {
            self.draw()?;
        }
        Ok(())
    }

    fn key(&mut self, chord: Chord) {
        if let Some(key) = self.panic_on {
            assert!(chord != Chord::char(key), "a key that panics was pressed");
        }
        self.update(Msg::Key(chord));
    }

    fn tick(&mut self, feed: &mut Live) {
        let lost = feed.lost();
        if lost > 0 {
            self.update(Msg::Lost(lost));
        }
        if let Some(says) = self.panics.take() {
            self.update(Msg::Say(format!("internal error: {says}; please report it")));
        }
        self.update(Msg::Tick);
        self.settle();
        self.pace.news();
    }

    /// Judges what came in; a changed verdict is shown at once.
    fn settle(&mut self) {
        let began = Instant::now();
        let before = stand(&self.app);
        let effects = app::settle(&mut self.app, clock::now());
        self.perform(effects);
        self.pace.judged(began.elapsed());
        if stand(&self.app) != before {
            self.pace.news();
        }
    }

    fn update(&mut self, msg: Msg) {
        let effects = app::update(&mut self.app, clock::now(), msg);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Theme(name) => match Theme::named(&name) {
                    Ok(theme) => {
                        self.theme = theme.shown_in(self.true_colour);
                        self.app.settings.theme = name;
                    }
                    Err(err) => self.update(Msg::Say(err.to_string())),
                },
                Effect::Announce { says, critical } => {
                    let bytes = self.announcer.announce(clock::now(), &says, critical);
                    self.effects.write(&bytes);
                    if self.announcer.has_desktop() {
                        tokio::spawn(super::notify::desktop(says, critical));
                    }
                }
                Effect::Copy(text) => match self.announcer.copy(&text) {
                    Ok(bytes) => self.effects.write(&bytes),
                    Err(why) => self.update(Msg::Say(why)),
                },
                other => self.effects.perform(other),
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        if !self.line.is_clear() {
            // The line is stalled: the frame is made when it can be sent.
            self.pace.stalled(Instant::now());
            return Ok(());
        }
        let (app, theme) = (&self.app, &self.theme);
        let frame = self.screen.frame(|area, buffer| view::view(app, theme, area, buffer));
        let title = self.announcer.title(&app.world, &app.settings.environment.name);
        if !title.is_empty() {
            self.tty.titled();
        }
        let asides = self.effects.take_written();
        if title.is_empty() && asides.is_empty() {
            self.line.send(frame)?;
        } else {
            self.line.send(&[frame, &title, &asides].concat())?;
        }
        self.pace.drew(Instant::now());
        Ok(())
    }
}

/// The next full second by the clock on the wall, so that the time on the screen is right.
fn next_second() -> Instant {
    Instant::now() + clock::to_next_second(clock::now()) + Duration::from_millis(2)
}

/// What makes the screen change at once when it changes.
fn stand(app: &App) -> (Severity, Option<Resource>, usize) {
    let judgement = &app.world.judgement;
    (judgement.verdict.severity, judgement.verdict.resource, judgement.findings.len())
}
