//! The palette: every command by its name, with its argument.

use super::{Done, commands};
use crate::app::{App, COMMANDS, Command, CommandInfo, Keymap, named, nearest};

/// Suggestions shown at most.
const MOST: usize = 8;

/// No arguments to suggest.
pub(super) const NONE: Vec<String> = Vec::new();

/// Other names by which commands are asked for.
const ALIASES: &[(&str, Command)] = &[
    ("mark", Command::MarkDeploy),
    ("kill", Command::Terminate),
    ("ack", Command::Acknowledge),
    ("q", Command::Quit),
    ("goto", Command::JumpTo),
];

/// One line that could be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// What would stand in the line.
    pub text: String,
    /// What to write after it: `NAMESPACE`; empty where nothing is.
    pub argument: &'static str,
    /// What it does.
    pub says: String,
    /// The key that does the same, if one does.
    pub key: String,
    /// An argument follows.
    pub takes: bool,
}

/// What could be meant by what is typed: names that begin with it, then names that hold it; behind a
/// whole name its arguments.
pub fn suggest(app: &App, typed: &str) -> Vec<Suggestion> {
    let keymap = Keymap::of(&app.settings);
    let typed = typed.trim_start();
    let Some((name, argument)) = typed.split_once(' ') else {
        let whole = |info: &CommandInfo| Suggestion {
            text: info.name.to_owned(),
            argument: info.takes.unwrap_or_default(),
            says: info.says.to_owned(),
            key: keymap.keys(info.command).first().map(ToString::to_string).unwrap_or_default(),
            takes: info.takes.is_some(),
        };
        return ranked(COMMANDS.iter(), typed, |info| info.name).map(whole).collect();
    };
    let Some(info) = find(name) else { return Vec::new() };
    let all = commands::arguments(app, info.command);
    ranked(all.iter(), argument.trim_start(), |it| it.as_str())
        .map(|it| Suggestion {
            text: format!("{name} {it}"),
            argument: "",
            says: info.says.to_owned(),
            key: String::new(),
            takes: false,
        })
        .collect()
}

fn ranked<'a, T: 'a>(
    all: impl Iterator<Item = &'a T> + Clone,
    typed: &str,
    name: impl Fn(&T) -> &str + Copy,
) -> impl Iterator<Item = &'a T> {
    let typed = typed.to_lowercase();
    let starts = move |it: &&T, typed: &str| name(it).to_lowercase().starts_with(typed);
    let holds = move |it: &&T, typed: &str| name(it).to_lowercase().contains(typed) && !starts(it, typed);
    let first: Vec<&T> = all.clone().filter(|it| starts(it, &typed)).collect();
    let then: Vec<&T> = all.filter(|it| holds(it, &typed)).collect();
    first.into_iter().chain(then).take(MOST)
}

fn find(name: &str) -> Option<&'static CommandInfo> {
    let alias =
        || ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, command)| crate::app::about(*command));
    named(name).or_else(alias)
}

/// Carries out a line of the palette.
pub(super) fn run(app: &mut App, line: &str) -> Done {
    let (name, argument) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let only = || {
        let mut fits = COMMANDS.iter().filter(|info| info.name.starts_with(name));
        fits.next().filter(|_| fits.next().is_none())
    };
    let info = find(name)
        .or_else(only)
        .ok_or_else(|| format!("no such command: {name}; the nearest is {}", nearest(name).name))?;
    let argument = Some(argument.trim()).filter(|argument| !argument.is_empty());
    if argument.is_some() && info.takes.is_none() && info.command != Command::Palette {
        return Err(format!("{} takes nothing after it", info.name));
    }
    commands::run(app, info.command, argument)
}
