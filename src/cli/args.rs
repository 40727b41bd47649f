//! The words of the command line: completions, the man page and `--help` come from here too.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::lab::LabArgs;
use crate::config::{Flags, parse_duration};
use crate::model::{Pace, TargetId, Timestamp};

/// A terminal war room: which resource is under pressure, what caused it, and which key fixes it
#[derive(Clone, Debug, Parser)]
#[command(
    name = "warroom",
    version,
    max_term_width = 100,
    after_help = "Without a command the console opens.\n\nExit codes: 64 wrong usage, 78 wrong config; \
                  check: 0 fine, 1 warning, 2 critical, 3 cannot be judged; \
                  kill, clear, mark, explain: 0 done, 4 refused or nothing to do, 1 failed."
)]
pub struct Words {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do; nothing opens the console.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What holds for every command.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Config file; without it: `$WARROOM_CONFIG`, `./warroom.toml`, the XDG folder, `/etc/warroom`
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// No action is possible
    #[arg(long, global = true)]
    pub read_only: bool,
}

impl Global {
    /// As the config's loader takes it.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), read_only: self.read_only }
    }
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Poll everything a few times and print the verdict
    Check(CheckArgs),
    /// End a PostgreSQL session, or cancel its statement
    Kill(KillArgs),
    /// Clear one cache namespace
    Clear(ClearArgs),
    /// How PostgreSQL would run a statement; nothing is run
    Explain(ExplainArgs),
    /// Drain a server behind a HAProxy, take it out, bring it back, or weigh it
    Server(ServerArgs),
    /// Let workers leave a queue alone: what is under way is finished, what comes in waits
    Pause(PauseArgs),
    /// Let workers take a queue's jobs again
    Resume(PauseArgs),
    /// Mark a deploy; made for deploy scripts
    Mark(MarkArgs),
    /// Print what was done: intents, outcomes and deploy marks
    Journal(JournalArgs),
    /// For each target: reachable, version, rights, what will not work and what mends it
    Doctor(Form),
    /// Write a commented starter config from what is found here
    Init,
    /// The settings in effect, or whether a config file is right
    Config {
        /// Which.
        #[command(subcommand)]
        ask: ConfigAsk,
    },
    /// Real servers on loopback, broken on purpose
    Lab(LabArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the man page
    Man,
    /// Draw the console as it stands into an SVG file; nothing is carried out
    #[command(hide = true)]
    Screenshot(ScreenshotArgs),
    /// One part of a running lab
    #[command(hide = true)]
    LabRole {
        /// The lab's folder.
        dir: PathBuf,
        /// The part.
        name: String,
    },
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Args)]
pub struct Form {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// How many times to poll
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub samples: u32,
    /// Time from one poll to the next
    #[arg(long, value_name = "D", default_value = "1s", value_parser = duration)]
    pub interval: Duration,
    /// How to print.
    #[command(flatten)]
    pub form: Form,
}

/// What every action takes.
#[derive(Clone, Copy, Debug, Args)]
pub struct Consent {
    /// Say what would be touched, and touch nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How to print.
    #[command(flatten)]
    pub form: Form,
}

/// `kill`.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("who").required(true).args(["pid", "root_blocker", "prepared"]))]
pub struct KillArgs {
    /// The PostgreSQL target
    #[arg(long, value_name = "T", value_parser = target)]
    pub target: TargetId,
    /// The session's process id on the server; again for each further session
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: Vec<i32>,
    /// Only if the session with that pid was started then (RFC 3339, as `check` prints it); one for each pid
    #[arg(long, value_name = "TIME", requires = "pid", conflicts_with = "root_blocker", value_parser = instant)]
    pub started: Vec<Timestamp>,
    /// Roll back the prepared transaction of this name: its changes are lost
    #[arg(long, value_name = "GID", conflicts_with_all = ["started", "cancel"])]
    pub prepared: Option<String>,
    /// The session whose end frees the most
    #[arg(long)]
    pub root_blocker: bool,
    /// Cancel its statement; the session lives on
    #[arg(long)]
    pub cancel: bool,
    /// Look for so long whether its application comes back and blocks again; 10s where you are asked first
    #[arg(long, value_name = "D", value_parser = duration, conflicts_with_all = ["prepared", "cancel"])]
    pub watch: Option<Duration>,
    /// Asking and printing.
    #[command(flatten)]
    pub consent: Consent,
}

/// How fast a clear goes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PaceArg {
    /// A good half of the server's time at most; slower when others feel it
    Gentle,
    /// As fast as the server goes
    Full,
}

impl From<PaceArg> for Pace {
    fn from(pace: PaceArg) -> Self {
        match pace {
            PaceArg::Gentle => Self::Gentle,
            PaceArg::Full => Self::Full,
        }
    }
}

/// `clear`.
#[derive(Clone, Debug, Args)]
pub struct ClearArgs {
    /// The namespace, by its name in the config
    pub namespace: String,
    /// The cache
    #[arg(long, value_name = "T", value_parser = target)]
    pub target: TargetId,
    /// How fast: gently, so that others hardly feel it, or as fast as the server goes
    #[arg(long, value_enum, default_value = "gentle")]
    pub pace: PaceArg,
    /// Let the keys expire one by one within this time instead, so that not all are missed at once
    #[arg(long, value_name = "D", value_parser = duration)]
    pub expire_over: Option<Duration>,
    /// Raise the namespace's version key instead: one command, and the old keys are read no more
    #[arg(long, conflicts_with_all = ["expire_over", "older_than", "only_type"])]
    pub bump: bool,
    /// Only keys that nobody has used for so long
    #[arg(long, value_name = "D", value_parser = duration)]
    pub older_than: Option<Duration>,
    /// Only keys of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = ["string", "hash", "list", "set", "zset", "stream"])]
    pub only_type: Option<String>,
    /// Asking and printing.
    #[command(flatten)]
    pub consent: Consent,
}

/// `explain`.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["pid", "queryid", "query_file"]))]
pub struct ExplainArgs {
    /// The PostgreSQL target
    #[arg(long, value_name = "T", value_parser = target)]
    pub target: TargetId,
    /// The statement that the session with this process id runs, or ran last
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: Option<i32>,
    /// The statement with this `queryid` in `pg_stat_statements`
    #[arg(long, value_name = "Q", allow_negative_numbers = true)]
    pub queryid: Option<i64>,
    /// A statement from a file (`-`: standard input); `$1` stands for a value
    #[arg(long, value_name = "FILE")]
    pub query_file: Option<PathBuf>,
    /// The database it runs in, where the target's own is not meant
    #[arg(long, value_name = "D", conflicts_with = "pid")]
    pub database: Option<String>,
    /// Where names are looked up, such as `app, public`; without it as role and database have it set
    #[arg(long, value_name = "PATH")]
    pub search_path: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub form: Form,
}

/// `server`.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags, of which clap lets only one be given")]
#[command(group = ArgGroup::new("to").required(true).args(["ready", "drain", "maint", "healthy", "weight"]))]
pub struct ServerArgs {
    /// The server, as BACKEND/SERVER
    pub server: String,
    /// The HAProxy, its url a runtime socket of level admin; or the Varnish, its management within reach
    #[arg(long, value_name = "T", value_parser = target)]
    pub target: TargetId,
    /// Bring it back: its share of requests, its checks
    #[arg(long)]
    pub ready: bool,
    /// No new requests; what it has it may finish
    #[arg(long)]
    pub drain: bool,
    /// Take it out, its health checks too
    #[arg(long)]
    pub maint: bool,
    /// Take it for well, whatever its probe says (Varnish)
    #[arg(long)]
    pub healthy: bool,
    /// Give it this weight, 0 to 256
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=256))]
    pub weight: Option<u16>,
    /// Asking and printing.
    #[command(flatten)]
    pub consent: Consent,
}

/// `pause` and `resume`.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["queue", "all"]))]
pub struct PauseArgs {
    /// The queue
    pub queue: Option<String>,
    /// All queues of the target, where the library has one switch (RQ)
    #[arg(long)]
    pub all: bool,
    /// Where the queue is
    #[arg(long, value_name = "T", value_parser = target)]
    pub target: TargetId,
    /// Asking and printing.
    #[command(flatten)]
    pub consent: Consent,
}

/// `mark`.
#[derive(Clone, Debug, Args)]
pub struct MarkArgs {
    /// What is deployed, such as v8.1.2
    pub label: String,
    /// Free text beside it
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// How to print.
    #[command(flatten)]
    pub form: Form,
}

/// `journal`.
#[derive(Clone, Debug, Args)]
pub struct JournalArgs {
    /// Only the last D, such as 2h or 7d
    #[arg(long, value_name = "D", value_parser = duration)]
    pub since: Option<Duration>,
    /// How to print; JSON is one object a line.
    #[command(flatten)]
    pub form: Form,
}

/// What `config` is asked.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigAsk {
    /// Print the settings in effect and where each came from; secrets are hidden
    Show(Form),
    /// Say whether the config is right, and what is wrong with it
    Check(Form),
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|span| !span.is_zero())
        .ok_or_else(|| "write a number and its unit: 250ms, 1s, 2m, 1h, 7d".into())
}

fn target(text: &str) -> Result<TargetId, String> {
    TargetId::parse(text).map_err(|err| err.to_string())
}

fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "write it as RFC 3339: 2026-11-21T03:41:34.123457Z".into())
}

/// The words after `warroom screenshot`.
#[derive(Clone, Debug, clap::Args)]
pub struct ScreenshotArgs {
    /// The SVG file to write
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Columns of the screen
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u16).range(20..=400))]
    pub(super) columns: u16,
    /// Rows of the screen
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(5..=200))]
    pub(super) rows: u16,
    /// Seconds to look on first
    #[arg(long, value_name = "S", default_value_t = 8)]
    pub(super) after: u64,
    /// A key to press then; may be given several times
    #[arg(long = "key", value_name = "KEY")]
    pub(super) keys: Vec<String>,
}
