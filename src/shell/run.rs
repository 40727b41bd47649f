//! Opens the console and sees to it that the terminal is given back on every way out.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::console::{Console, End, Inlets};
use super::effects::Effects;
use super::notify::Announcer;
use super::pace::Pace;
use super::panics::Panics;
use super::perform::Hands;
use super::{
    Ending, Letters, Line, Screen, Tty, TtyError, clock, follow, input, open_files, signals, watchdog, world,
};
use crate::app::{App, Settings, World};
use crate::config::{Config, TargetSpec};
use crate::feed::Live;
use crate::journal::Journal;
use crate::lab;
use crate::model::Actor;
use crate::view::{Theme, ThemeError};

/// Messages that may wait for the loop.
const ANSWERS: usize = 256;
/// What the runtime's last tasks are given.
const SHUTDOWN: Duration = Duration::from_millis(100);
/// Exit code after a panic, as scripts know it from any Rust program.
const PANICKED: u8 = 101;

/// Everything the console is opened with.
#[derive(Debug)]
pub struct Setup {
    /// The settings.
    pub config: Arc<Config>,
    /// What was found because no config was given: told at the start.
    pub found: Option<String>,
    /// Who sits here.
    pub actor: Actor,
    /// Where acts are written down, or why they cannot be: then nothing is done.
    pub journal: Result<Journal, String>,
}

/// Why the console did not open, or ended badly.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// The terminal will not do.
    #[error(transparent)]
    Tty(#[from] TtyError),
    /// The theme that was configured does not exist.
    #[error(transparent)]
    Theme(#[from] ThemeError),
    /// The system said no.
    #[error("the console cannot run: {0}")]
    Io(#[from] io::Error),
}

/// Opens the console, runs it to its end and returns the exit code.
///
/// # Errors
/// When it cannot be opened; the terminal is then as it was.
pub fn open(setup: Setup) -> Result<u8, ConsoleError> {
    let env = |name: &str| std::env::var(name).ok();
    let no_color = env("NO_COLOR").is_some_and(|value| !value.is_empty());
    let true_colour = knows_true_colour(&env);
    let theme = Theme::choose(setup.config.theme.as_deref(), no_color)?.shown_in(true_colour);
    open_files::allow_enough();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let tty = Tty::enter(env("TERM").as_deref())?;
    let panics = Panics::keep();
    let (tell, endings) = mpsc::channel(8);
    watchdog::watch(tell.clone());
    let run = || runtime.block_on(run(setup, (theme, true_colour), &tty, &panics, tell, endings, &env));
    let end = catch_unwind(AssertUnwindSafe(run));
    tty.leave();
    panics.print();
    runtime.shutdown_timeout(SHUTDOWN);
    match end {
        Ok(Ok(End::Quit)) => Ok(0),
        Ok(Ok(End::Ending(ending))) => Ok(ending.exit_code()),
        // A terminal that refuses a write is a lost line, whoever saw it first.
        Ok(Err(_)) if watchdog::is_lost() => Ok(Ending::LineLost.exit_code()),
        Ok(Err(err)) => Err(err.into()),
        Err(_) => Ok(PANICKED),
    }
}

/// Whether the terminal says that it knows true colour. A line over ssh seldom says so, and GNU screen
/// hands the word of the terminal around it on without knowing the colours itself.
fn knows_true_colour(env: &dyn Fn(&str) -> Option<String>) -> bool {
    let says = env("COLORTERM").is_some_and(|word| matches!(word.as_str(), "truecolor" | "24bit"));
    says && env("STY").is_none()
}

async fn run(
    setup: Setup,
    (theme, true_colour): (Theme, bool),
    tty: &Tty,
    panics: &Panics,
    tell: mpsc::Sender<Ending>,
    endings: mpsc::Receiver<Ending>,
    env: &dyn Fn(&str) -> Option<String>,
) -> io::Result<End> {
    signals::endings(&tell)?;
    let (columns, rows) = Tty::size();
    let (answer, answers) = mpsc::channel(ANSWERS);
    let Setup { config, found, actor, journal } = setup;
    let mut app = app(&config, found, actor, &theme);
    app.size = (columns, rows);
    let specs = config.targets.clone();
    let mut console = Console {
        app,
        theme,
        true_colour,
        tty: tty.clone(),
        line: Line::open()?,
        screen: Screen::new(columns, rows).of(Letters::told_by(env)),
        pace: Pace::new(Instant::now()),
        announcer: Announcer::new(config.notify, env),
        effects: Effects::new(Hands::new(config, journal.clone(), clock::now), answer.clone()),
        panics: panics.clone(),
        panic_on: panic_on(env),
    };
    console.first_frame()?;
    let feed = Live::start(specs, clock::now)?;
    console.effects.stand_ready();
    if let Ok(journal) = &journal {
        follow::follow(journal, clock::now(), answer);
    }
    let inlets = Inlets { input: input::read(), answers, endings };
    let end = console.run(feed, inlets).await;
    // The terminal first: whoever pressed `q` shall not wait for what is still under way.
    tty.leave();
    console.effects.end().await;
    end
}

/// For the test of the way out of a panic: the key that causes one. Not in what is released.
fn panic_on(env: &dyn Fn(&str) -> Option<String>) -> Option<char> {
    cfg!(debug_assertions).then(|| env("WARROOM_TEST_PANIC_ON")).flatten()?.chars().next()
}

/// The state as it is before anything was heard.
pub(super) fn app(config: &Config, found: Option<String>, actor: Actor, theme: &Theme) -> App {
    let world = World { store: world::store(config), judge: world::judge(config), ..World::default() };
    let namespaces = |spec: &TargetSpec| {
        let id = spec.id.clone();
        spec.namespaces.clone().into_iter().map(move |namespace| (id.clone(), namespace))
    };
    let faults = || lab::FAULTS.iter().map(|fault| fault.name.to_owned()).collect();
    let settings = Settings {
        environment: config.environment.clone(),
        actor,
        theme: theme.name().to_owned(),
        themes: Theme::names().map(ToOwned::to_owned).collect(),
        zone: jiff::tz::TimeZone::system(),
        namespaces: config.targets.iter().flat_map(namespaces).collect(),
        lab: config.lab.as_ref().map(|lab| (lab.dir.clone(), faults())),
        found,
        keys: config.keys.clone(),
    };
    App { now: clock::now(), settings, world, ..App::default() }
}
