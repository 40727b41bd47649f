//! From words to the verb that carries them out.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser};
use tokio::runtime::{Builder, Runtime};

use super::args::{ConfigAsk, Global, Verb, Words};
use super::end::{End, Fail, USAGE, print, say};
use super::{act, check, doctor, explain, init, journal, lab, screenshot, settings};
use crate::config::{Config, Known, load};
use crate::model::QueueChange;
use crate::shell::{open_files, world};

/// Runs one command line to its end.
#[must_use]
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words = match Words::try_parse_from(args) {
        Ok(words) => words,
        Err(err) => {
            // Help and version are answers; everything else is wrong usage.
            if err.use_stderr() {
                say(err.to_string().trim_end());
                return ExitCode::from(USAGE);
            }
            return printed(&End::new(err.to_string(), 0));
        }
    };
    let end = match words.verb {
        Some(verb) => carry_out(verb, &words.global),
        None => super::console::run(&words.global),
    };
    match end {
        Ok(end) => printed(&end),
        Err(fail) => {
            say(&format!("warroom: {}", fail.says));
            ExitCode::from(fail.code)
        }
    }
}

/// Prints what a command has to say: one that could not say it has not succeeded.
fn printed(end: &End) -> ExitCode {
    match print(&end.out) {
        Ok(()) => ExitCode::from(end.code),
        Err(err) => {
            say(&format!("warroom: cannot print: {err}"));
            ExitCode::from(end.code.max(1))
        }
    }
}

fn carry_out(verb: Verb, global: &Global) -> Result<End, Fail> {
    match verb {
        Verb::Check(args) => check::run(global, &args),
        Verb::Kill(args) => act::kill(global, &args),
        Verb::Clear(args) => act::clear(global, &args),
        Verb::Explain(args) => explain::run(global, &args),
        Verb::Pause(args) => act::pause(global, &args, QueueChange::Pause),
        Verb::Resume(args) => act::pause(global, &args, QueueChange::Resume),
        Verb::Server(args) => act::server(global, &args),
        Verb::Mark(args) => act::mark(global, &args),
        Verb::Journal(args) => journal::run(global, &args),
        Verb::Doctor(form) => doctor::run(global, form),
        Verb::Init => init::run(global),
        Verb::Config { ask: ConfigAsk::Show(form) } => settings::show(global, form),
        Verb::Config { ask: ConfigAsk::Check(form) } => settings::check(global, form),
        Verb::Lab(args) => {
            lab::run(&args).map(|()| End::default()).map_err(|err| Fail::new(1, &err.to_string()))
        }
        Verb::Screenshot(args) => screenshot::run(global, &args),
        Verb::LabRole { dir, name } => crate::lab::roles::run(&dir, &name)
            .map(|()| End::default())
            .map_err(|err| Fail::new(1, &err.to_string())),
        Verb::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Words::command(), "warroom", &mut out);
            Ok(End::new(String::from_utf8_lossy(&out).into_owned(), 0))
        }
        Verb::Man => man(),
    }
}

/// What no argument tells.
const AROUND: &str = "\
.SH ENVIRONMENT
.TP
WARROOM_CONFIG
The config file, where --config names none.
.TP
WARROOM_READ_ONLY
1: no action is possible.
.TP
NO_COLOR
Attributes in place of colours.
.TP
PGHOST, PGSERVICE and the like
libpq's own: for a target of kind postgres without a url.
.TP
SSL_CERT_FILE
Whom to trust behind https://, in place of this machine's authorities.
.SH FILES
.TP
./warroom.toml, $XDG_CONFIG_HOME/warroom/warroom.toml, /etc/warroom/warroom.toml
The config; the first that is there.
.TP
$XDG_STATE_HOME/warroom/journal.jsonl
What was done, unless the config names another place.
.TP
~/.pgpass, ~/.pg_service.conf
As libpq reads them.
";

/// The page of the command itself, then one section for each verb.
fn man() -> Result<End, Fail> {
    let mut out = Vec::new();
    let failed = |err: std::io::Error| Fail::new(1, &err.to_string());
    clap_mangen::Man::new(Words::command()).render(&mut out).map_err(failed)?;
    out.extend(AROUND.bytes());
    let mut command = Words::command();
    command.build();
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        let page = clap_mangen::Man::new(verb.clone());
        out.extend(format!(".SH WARROOM {}\n", verb.get_name().to_uppercase()).bytes());
        page.render_description_section(&mut out).map_err(failed)?;
        page.render_options_section(&mut out).map_err(failed)?;
    }
    let mut page = String::from_utf8_lossy(&out).into_owned();
    for verb in command.get_subcommands() {
        // They stand in this page and have none of their own.
        let name = verb.get_name();
        page = page.replace(&format!("warroom\\-{name}(1)"), &format!("warroom {name}"));
    }
    Ok(End::new(page, 0))
}

/// A variable of the environment.
pub(super) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The effective config; what is to be told about it goes to stderr.
pub(super) fn config(global: &Global) -> Result<Arc<Config>, Fail> {
    let config = quiet_config(global)?;
    for notice in &config.notices {
        say(&format!("warroom: {notice}"));
    }
    Ok(config)
}

/// The effective config, its notices left to the caller.
pub(super) fn quiet_config(global: &Global) -> Result<Arc<Config>, Fail> {
    let names = world::known();
    let known = Known { kinds: &names.kinds, commands: &names.commands, themes: &names.themes };
    Ok(Arc::new(load(&global.flags(), &known, &env)?))
}

/// A runtime on this thread, which may open as many connections as the system allows.
pub(super) fn runtime() -> Result<Runtime, Fail> {
    open_files::allow_enough();
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|err| Fail::new(1, &format!("no runtime: {err}")))
}
