//! The words of the command line. Help, completions and the man page are printed from these.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use super::lab::LabArgs;
use crate::config::parse_duration;
use crate::model::{TargetId, Timestamp};

const LOOKED_UP: &str = "Without a command it opens the console.
Config: --config, $WARROOM_CONFIG, ./warroom.toml, $XDG_CONFIG_HOME/warroom/warroom.toml, \
/etc/warroom/warroom.toml.
With none it watches this machine and what it finds listening here.";

/// Which resource is under pressure, what caused it, and which key fixes it.
///
#[derive(Debug, Parser)]
#[command(name = "warroom", version, max_term_width = 100, after_help = LOOKED_UP)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

/// What every verb takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Globals {
    /// Config file
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
    /// No action is possible
    #[arg(long, global = true)]
    pub(super) read_only: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Poll, print the verdict; exit 2 critical, 3 something cannot be judged, 1 warning, 0 all is well
    Check(CheckArgs),
    /// End a PostgreSQL session, or with --cancel its statement
    Kill(KillArgs),
    /// Clear one cache namespace
    Clear(ClearArgs),
    /// Mark a deploy; made for deploy scripts
    Mark(MarkArgs),
    /// What was done: intents and outcomes, deploy marks
    Journal(JournalArgs),
    /// Real servers on loopback, broken on purpose
    Lab(LabArgs),
    #[command(hide = true)]
    LabRole {
        /// The lab's folder
        dir: PathBuf,
        /// The role
        name: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// How often to poll
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) samples: u32,
    /// Time from one poll to the next
    #[arg(long, value_name = "D", default_value = "1s", value_parser = duration)]
    pub(super) interval: Duration,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// How an action is asked for.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct ActArgs {
    /// Only say what would be touched
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    pub(super) yes: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("whom").required(true).args(["pid", "root_blocker"])))]
pub(super) struct KillArgs {
    /// The server, by its id in the config
    #[arg(long, value_name = "ID", value_parser = target)]
    pub(super) target: TargetId,
    /// The session's pid
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) pid: Option<i32>,
    /// Only if the session began then (RFC 3339, as `check --json` tells)
    #[arg(long, value_name = "TIME", requires = "pid", value_parser = time)]
    pub(super) started: Option<Timestamp>,
    /// Whoever holds up most
    #[arg(long, conflicts_with = "cancel")]
    pub(super) root_blocker: bool,
    /// Only cancel its statement
    #[arg(long)]
    pub(super) cancel: bool,
    #[command(flatten)]
    pub(super) how: ActArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct ClearArgs {
    /// The namespace, by its name in the config
    #[arg(value_name = "NAMESPACE")]
    pub(super) namespace: String,
    /// The cache, by its id in the config
    #[arg(long, value_name = "ID", value_parser = target)]
    pub(super) target: TargetId,
    #[command(flatten)]
    pub(super) how: ActArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct MarkArgs {
    /// What is deployed, such as v8.1.2
    #[arg(value_name = "LABEL")]
    pub(super) label: String,
    /// Free text
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(super) note: String,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct JournalArgs {
    /// Only what is younger than this: 30m, 2h, 7d
    #[arg(long, value_name = "D", value_parser = duration)]
    pub(super) since: Option<Duration>,
    /// Print one JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("{text:?} is no duration; write 500ms, 30s, 5m, 2h or 7d"))
}

fn target(text: &str) -> Result<TargetId, String> {
    TargetId::parse(text).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("{text:?} is no time; write it as 2026-01-31T13:49:02.118437Z"))
}
