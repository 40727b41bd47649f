//! What can be pressed here, the most useful first: the bottom line.

use super::targeting::why_not;
use crate::app::{App, Command, Keymap, Place, Tab, about};

/// One key of the bottom line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The command.
    pub command: Command,
    /// Its key.
    pub key: String,
    /// What it does, in a word or two.
    pub says: &'static str,
    /// Why it cannot be done now: it is then greyed.
    pub why_not: Option<String>,
}

/// The keys that are of use here. What acts stays in its place, greyed when it cannot be done.
pub fn hints(app: &App) -> Vec<Hint> {
    use Command as C;
    let commands: &[Command] = match app.viewpoint.place() {
        Place::Overview => &[
            C::Fix,
            C::Terminate,
            C::Clear,
            C::MarkDeploy,
            C::Drill,
            C::Palette,
            C::Help,
            C::Filter,
            C::Actions,
            C::Quit,
        ],
        Place::Zoom(_, Tab::Locks | Tab::Sessions) => &[
            C::Terminate,
            C::Cancel,
            C::Drill,
            C::Mark,
            C::Filter,
            C::Sort,
            C::Back,
            C::Help,
            C::Fix,
            C::Copy,
            C::Palette,
        ],
        Place::Zoom(
            _,
            Tab::Caches | Tab::Namespaces | Tab::LargeKeys | Tab::SlowCommands | Tab::CommandShares,
        ) => &[C::Clear, C::Drill, C::Filter, C::Sort, C::Back, C::Help, C::Fix, C::Palette],
        Place::Zoom(_, Tab::Statements) => {
            &[C::Explain, C::Drill, C::Filter, C::Sort, C::Back, C::Help, C::Fix, C::Palette]
        }
        Place::Zoom(_, Tab::Backends) => &[
            C::Drain,
            C::Ready,
            C::Drill,
            C::Filter,
            C::Sort,
            C::Back,
            C::Help,
            C::Fix,
            C::Actions,
            C::Palette,
        ],
        Place::Zoom(_, Tab::Queues) => {
            &[C::PauseQueue, C::Drill, C::Filter, C::Sort, C::Back, C::Help, C::Fix, C::Actions, C::Palette]
        }
        Place::Zoom(..) => {
            &[C::Drill, C::Filter, C::Sort, C::Back, C::Help, C::Fix, C::MarkDeploy, C::Palette]
        }
        Place::Detail(Tab::Statements, _) => &[C::Explain, C::Copy, C::Back, C::Help, C::Actions, C::Palette],
        Place::Detail(Tab::Locks | Tab::Sessions, _) => {
            &[C::Terminate, C::Cancel, C::Explain, C::Copy, C::Back, C::Help, C::Actions, C::Palette]
        }
        Place::Detail(..) => &[C::Copy, C::Back, C::Help, C::Actions, C::Palette],
    };
    let keymap = Keymap::of(&app.settings);
    let in_the_past = app.past.is_some().then_some([C::StepBack, C::StepForth, C::Live]);
    in_the_past
        .iter()
        .flatten()
        .chain(commands)
        .filter_map(|command| {
            let key = keymap.keys(*command).first()?.to_string();
            Some(Hint { command: *command, key, says: words(*command), why_not: why_not(app, *command) })
        })
        .collect()
}

fn words(command: Command) -> &'static str {
    match command {
        Command::Back => "back",
        Command::Copy => "copy",
        Command::StepBack => "back in time",
        Command::StepForth => "forth",
        Command::Live => "now",
        other => about(other).hint,
    }
}
