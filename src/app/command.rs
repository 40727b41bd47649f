//! Everything the operator can ask for. Keys, palette, help page and hint bar are printed from this table.

/// One thing the operator can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// Show the help page.
    Help,
    /// End the console.
    Quit,
    /// Go to the n-th pane, 1 to 9.
    Pane(u8),
    /// Next pane.
    NextPane,
    /// Previous pane.
    PreviousPane,
    /// Up.
    Up,
    /// Down.
    Down,
    /// Left: previous pane or tab.
    Left,
    /// Right: next pane or tab.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// First row.
    Top,
    /// Last row.
    Bottom,
    /// Into the selected thing.
    Drill,
    /// The pane over the whole screen, and back.
    Zoom,
    /// Back one step.
    Back,
    /// Filter rows.
    Filter,
    /// Choose the sort column.
    Sort,
    /// Turn the sort order round.
    SortReverse,
    /// Open the palette.
    Palette,
    /// Mark the row.
    Mark,
    /// Unmark all rows.
    Unmark,
    /// Hold the screen; polling goes on.
    Pause,
    /// One moment back.
    StepBack,
    /// One moment forth.
    StepForth,
    /// Jump to a time.
    JumpTo,
    /// Back to now.
    Live,
    /// The actions of the selected row.
    Actions,
    /// Carry out the verdict's remedy.
    Fix,
    /// Terminate the selected backend; on the overview the root blocker.
    Terminate,
    /// Cancel its statement.
    Cancel,
    /// Clear a namespace.
    Clear,
    /// Drain the selected server behind a proxy.
    Drain,
    /// Bring it back.
    Ready,
    /// Take it out, its checks too.
    Maintenance,
    /// Give it another weight.
    Weight,
    /// Pause the selected queue, or resume it.
    PauseQueue,
    /// Mark a deploy.
    MarkDeploy,
    /// Explain the selected statement.
    Explain,
    /// Acknowledge the verdict: it stays, quieter.
    Acknowledge,
    /// Poll every target now.
    PollNow,
    /// Draw the whole screen again.
    Redraw,
    /// Copy the selected row's text to the clipboard (OSC 52).
    Copy,
    /// Next theme.
    Theme,
    /// Hand the terminal back to the shell for a while.
    Suspend,
    /// Break the lab on purpose.
    LabBreak,
    /// End all faults of the lab.
    LabHeal,
}

/// How a command is shown and reached.
#[derive(Clone, Copy, Debug)]
pub struct CommandInfo {
    /// The command.
    pub command: Command,
    /// Its name in palette and config: `mark-deploy`.
    pub name: &'static str,
    /// The keys it has unless rebound.
    pub keys: &'static [&'static str],
    /// What it does, for help and palette.
    pub says: &'static str,
    /// One or two words for the hint bar; empty keeps it out.
    pub hint: &'static str,
    /// Takes an argument in the palette: what to call it.
    pub takes: Option<&'static str>,
}

const fn row(
    command: Command,
    name: &'static str,
    keys: &'static [&'static str],
    says: &'static str,
    hint: &'static str,
    takes: Option<&'static str>,
) -> CommandInfo {
    CommandInfo { command, name, keys, says, hint, takes }
}

use Command as C;

/// The table: the one place where a key, a name and a sentence meet.
#[rustfmt::skip]
pub const COMMANDS: &[CommandInfo] = &[
    row(C::Fix, "fix", &["F"], "carry out the verdict's remedy", "fix", None),
    row(C::Terminate, "terminate", &["K"], "end the selected session, or the root blocker", "end session", None),
    row(C::Cancel, "cancel", &["C"], "cancel the selected session's statement", "cancel stmt", None),
    row(C::Clear, "clear", &["X"], "clear a cache namespace", "clear cache", Some("NAMESPACE")),
    row(C::Drain, "drain", &["D"], "drain the selected server behind a HAProxy", "drain", None),
    row(C::Ready, "ready", &["R"], "bring the selected server back", "bring back", None),
    row(C::Maintenance, "maint", &[], "take the selected server out, its checks too", "", None),
    row(C::Weight, "weight", &[], "give the selected server another weight", "", Some("WEIGHT")),
    row(C::PauseQueue, "pause-queue", &["P"], "pause the selected queue, or resume it", "pause queue", None),
    row(C::MarkDeploy, "mark-deploy", &["M"], "mark a deploy", "mark deploy", Some("LABEL")),
    row(C::Explain, "explain", &["E"], "how the selected statement would be run", "explain", None),
    row(C::Acknowledge, "acknowledge", &["A"], "acknowledge the verdict: it stays but is quiet", "", None),
    row(C::Actions, "actions", &["x"], "what can be done with the selected row", "actions", None),
    row(C::Drill, "drill", &["enter"], "open the selected thing", "open", None),
    row(C::Zoom, "zoom", &["z"], "the pane over the whole screen, and back", "", None),
    row(C::Back, "back", &["esc"], "back one step", "", None),
    row(C::Filter, "filter", &["/"], "show only rows with all words; !word hides them", "filter", Some("TEXT")),
    row(C::Sort, "sort", &["s"], "sort by a column", "sort", Some("COLUMN")),
    row(C::SortReverse, "sort-reverse", &["S"], "turn the order round", "", None),
    row(C::Mark, "mark-row", &["space"], "mark the row for an action on several", "mark", None),
    row(C::Unmark, "unmark", &["u"], "unmark all rows", "", None),
    row(C::Copy, "copy", &["y"], "copy the row's text to the clipboard", "", None),
    row(C::Pause, "pause", &["p"], "hold the screen; polling goes on", "", None),
    row(C::StepBack, "step-back", &["["], "one moment back in time", "", None),
    row(C::StepForth, "step-forth", &["]"], "one moment forth", "", None),
    row(C::JumpTo, "at", &["@"], "jump to a time: 14:05, -4m", "", Some("TIME")),
    row(C::Live, "live", &["L"], "back to now", "", None),
    row(C::Palette, "command", &[":"], "type a command", "command", None),
    row(C::Help, "help", &["?", "f1"], "this page", "help", None),
    row(C::PollNow, "poll", &["r"], "poll every target now", "", None),
    row(C::Redraw, "redraw", &["ctrl-l"], "draw the whole screen again", "", None),
    row(C::Theme, "theme", &[], "change the colours", "", Some("NAME")),
    row(C::Suspend, "suspend", &["ctrl-z"], "hand the terminal back to the shell; fg returns", "", None),
    row(C::Quit, "quit", &["q", "ctrl-c"], "leave", "quit", None),
    row(C::Pane(1), "requests", &["1"], "go to the request queue", "", None),
    row(C::Pane(2), "postgres", &["2"], "go to PostgreSQL", "", None),
    row(C::Pane(3), "cpu", &["3"], "go to CPU", "", None),
    row(C::Pane(4), "memory", &["4"], "go to memory and swap", "", None),
    row(C::Pane(5), "cache", &["5"], "go to the cache", "", None),
    row(C::Pane(6), "queues", &["6"], "go to the worker queues", "", None),
    row(C::Pane(7), "events", &["7"], "go to deploys and events", "", None),
    row(C::NextPane, "next-pane", &["tab"], "next pane", "", None),
    row(C::PreviousPane, "previous-pane", &["shift-tab"], "previous pane", "", None),
    row(C::Up, "up", &["up", "k"], "up", "", None),
    row(C::Down, "down", &["down", "j"], "down", "", None),
    row(C::Left, "left", &["left", "h"], "left, or the previous tab", "", None),
    row(C::Right, "right", &["right", "l"], "right, or the next tab", "", None),
    row(C::PageUp, "page-up", &["pgup"], "a page up", "", None),
    row(C::PageDown, "page-down", &["pgdn"], "a page down", "", None),
    row(C::Top, "top", &["home", "g"], "first row", "", None),
    row(C::Bottom, "bottom", &["end", "G"], "last row", "", None),
    row(C::LabBreak, "lab-break", &[], "break the lab on purpose", "", Some("FAULT")),
    row(C::LabHeal, "lab-heal", &[], "end every fault of the lab", "", None),
];
