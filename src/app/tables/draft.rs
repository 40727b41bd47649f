//! From rows as they are known to the table on the screen: filter, order, selection.

use std::cmp::Reverse;

use super::sessions::POSTGRES;
use super::{
    app_servers, cache, connections, events, findings, host, locks, pools, programs, proxy, queues, sessions,
    statements, targets, upkeep,
};
use crate::app::{App, Cell, Column, Row, RowKey, Sort, Tab, Table, Viewpoint};
use crate::model::words::{bytes, count, many, millis, span};
use crate::model::{CACHE_KINDS, MACHINE_KINDS, Resource, Severity, TargetId, Timestamp};
use crate::store::{Target, TargetState};

/// A table before filter and sort.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) columns: &'static [Column],
    pub(super) rows: Vec<Row>,
    pub(super) empty: &'static str,
    pub(super) summary: String,
    /// The rows stand in an order of their own: trees, and what happened.
    pub(super) ordered: bool,
}

/// A column.
pub(super) const fn col(title: &'static str, width: u16, right: bool, priority: u8) -> Column {
    Column { title, width, right, priority }
}

/// Whether the rows are of more than one server.
pub(super) fn several(draft: &Draft) -> bool {
    let Some(at) = draft.columns.iter().position(|column| column.title == "ON") else { return false };
    let mut places = draft.rows.iter().map(|row| row.cells.get(at));
    let first = places.next();
    places.any(|place| Some(place) != first)
}

/// A row of a flat table.
pub(super) fn row(key: RowKey, severity: Severity, cells: Vec<Cell>) -> Row {
    Row { key, depth: 0, last: Vec::new(), severity, cells }
}

/// The worst severity of these resources on a target or row.
pub(super) fn severity(app: &App, resources: &[Resource], id: &TargetId) -> Severity {
    let judgement = &app.shown().judgement;
    let of = |resource: &Resource| judgement.resource(*resource, id).map(|state| state.severity);
    resources.iter().filter_map(of).max().unwrap_or_default()
}

/// The targets of one domain that cannot be believed, with the words for it: they have a row too.
pub(super) fn silent<'a>(app: &'a App, kinds: &'a [&str]) -> impl Iterator<Item = (&'a Target, String)> {
    let now = app.moment();
    let all = app.shown().store.targets().iter();
    all.filter(move |target| {
        kinds.contains(&target.info.kind.as_str()) && target.state(now) != TargetState::Up
    })
    .map(move |target| (&**target, why_silent(target, now)))
}

/// Their rows: the name in the first column, the words in the last.
pub(super) fn silent_rows<'a>(
    app: &'a App,
    kinds: &'a [&str],
    columns: &[Column],
) -> impl Iterator<Item = Row> + use<'a> {
    let between = columns.len().saturating_sub(2);
    silent(app, kinds).map(move |(target, why)| {
        let mut cells = vec![Cell::text(target.info.id.as_str())];
        cells.extend(std::iter::repeat_n(Cell::None, between));
        cells.push(Cell::text(&why));
        let known = severity(app, &[Resource::TargetAnswer], &target.info.id);
        row(RowKey::Target(target.info.id.clone()), known.max(Severity::Unknown), cells)
    })
}

/// Why a target cannot be believed, in words.
pub(super) fn why_silent(target: &Target, now: Timestamp) -> String {
    let since = |at: Timestamp| span(now.seconds_since(at));
    match (&target.error, target.state(now)) {
        (_, TargetState::Waiting) => "its first answer is awaited".into(),
        (Some(error), _) => {
            let from = target.failing_since.unwrap_or(error.at);
            format!("{} (for {})", error.it, since(from))
        }
        (None, TargetState::Stale) => {
            let heard = target.heard.map_or_else(|| "ever".into(), since);
            format!("nothing heard for {heard}")
        }
        (None, _) => "answers".into(),
    }
}

/// Age of the answer and how long it took: `polled 0.4 s ago, took 1.1 ms`.
pub(super) fn polled(target: &Target, now: Timestamp) -> String {
    let Some(age) = target.age(now) else {
        return if target.heard.is_some() { "never answered yet" } else { "not yet polled" }.into();
    };
    let took = millis(target.took.0);
    let age = span(age.as_secs_f64());
    if target.error.is_some() {
        return format!("the last {age} ago; the last try took {took}");
    }
    format!("polled {age} ago, took {took}")
}

pub(super) fn draft(app: &App, tab: Tab) -> Draft {
    let mut draft = match tab {
        Tab::Backends => proxy::backends(app),
        Tab::AppServers => app_servers::app_servers(app),
        Tab::AcceptQueues => host::accept_queues(app),
        Tab::Programs => programs::programs(app),
        Tab::Locks => locks::locks(app),
        Tab::Sessions => sessions::sessions(app),
        Tab::Connections => connections::connections(app),
        Tab::Statements => statements::statements(app),
        Tab::Upkeep => upkeep::upkeep(app),
        Tab::Pools => pools::pools(app),
        Tab::Hosts => host::hosts(app),
        Tab::Filesystems => host::filesystems(app),
        Tab::Caches => cache::caches(app),
        Tab::Namespaces => cache::namespaces(app),
        Tab::LargeKeys => cache::large_keys(app),
        Tab::SlowCommands => cache::slow_commands(app),
        Tab::CommandShares => cache::command_shares(app),
        Tab::Queues => queues::queues(app),
        Tab::Events => events::events(app),
        Tab::Findings => findings::findings(app),
        Tab::Targets => targets::targets(app),
    };
    for row in &mut draft.rows {
        row.cells.resize(draft.columns.len(), Cell::None);
    }
    unheard(app, tab, &mut draft);
    draft
}

/// Whom a table asks whose rows are not the targets themselves: of these a silent one has no row.
const fn asked(tab: Tab) -> &'static [&'static str] {
    match tab {
        Tab::Locks | Tab::Sessions | Tab::Connections | Tab::Statements | Tab::Upkeep => POSTGRES,
        Tab::Namespaces | Tab::SlowCommands | Tab::CommandShares => CACHE_KINDS,
        Tab::Programs | Tab::Filesystems | Tab::AcceptQueues => MACHINE_KINDS,
        _ => &[],
    }
}

/// Says who did not answer; what they would have said is not known, and never nothing.
fn unheard(app: &App, tab: Tab, draft: &mut Draft) {
    const TOLD: usize = 3;
    let kinds = asked(tab);
    let silent: Vec<String> =
        silent(app, kinds).map(|(target, why)| format!("{}: {why}", target.info.id)).collect();
    if silent.is_empty() {
        return;
    }
    let all = app.shown().store.targets().iter().filter(|it| kinds.contains(&it.info.kind.as_str())).count();
    draft.empty = match (silent.len() == all, draft.empty) {
        (true, _) => "not known: no answer came",
        (false, "nobody waits for a lock") => "nobody waits for a lock, of those that answer",
        (false, empty) => empty,
    };
    let mut said = vec![std::mem::take(&mut draft.summary)];
    said.retain(|text| !text.is_empty());
    if silent.len() > TOLD {
        said.push(format!("{} do not answer", silent.len()));
    } else {
        said.extend(silent);
    }
    draft.summary = said.join("   ");
}

/// One table as it stands on the screen.
pub fn table(app: &App, tab: Tab) -> Table {
    let mut draft = draft(app, tab);
    if !draft.ordered {
        draft.rows.sort_by_key(|row| Reverse(row.severity));
    }
    let mut columns = draft.columns.to_vec();
    if several(&draft) {
        // A session, a mount point or a port says nothing without whose it is.
        columns.iter_mut().filter(|it| it.title == "ON").for_each(|it| it.priority = it.priority.min(1));
    }
    let view = &app.viewpoint;
    let all = draft.rows.len();
    if !view.filter.is_empty() {
        let filter = Filter::new(&view.filter);
        draft.rows.retain(|row| filter.takes(row));
        // A tree with holes is no tree.
        draft.rows.iter_mut().for_each(flatten);
    }
    if let Some(sort) = view.sort.get(&tab).filter(|sort| sort.column < draft.columns.len()) {
        sort_rows(&mut draft.rows, *sort);
        draft.rows.iter_mut().for_each(flatten);
    }
    let mut summary = draft.summary;
    let here = |key: &&RowKey| draft.rows.iter().any(|row| row.key == **key);
    if !view.marked.is_empty() {
        let shown = view.marked.iter().filter(here).count();
        let hidden = view.marked.len() - shown;
        let also = if hidden > 0 { format!(", {hidden} of them not shown here") } else { String::new() };
        let gap = if summary.is_empty() { "" } else { "   " };
        summary =
            format!("{summary}{gap}{}{also}", many(view.marked.len() as u64, "row marked", "rows marked"));
    }
    Table {
        columns,
        hidden: all - draft.rows.len(),
        rows: draft.rows,
        empty: draft.empty.to_owned(),
        summary,
    }
}

fn flatten(row: &mut Row) {
    row.depth = 0;
    row.last.clear();
}

fn sort_rows(rows: &mut [Row], sort: Sort) {
    rows.sort_by(|a, b| {
        let (a, b) = (&a.cells[sort.column], &b.cells[sort.column]);
        // What is missing stands last, whichever way round.
        match (*a == Cell::None, *b == Cell::None) {
            (false, false) if sort.descending => b.order(a),
            (false, false) => a.order(b),
            (a, b) => a.cmp(&b),
        }
    });
}

/// Rows for which every word holds: `web critical`.
struct Filter(Vec<Word>);

/// Rows that hold a text or are of the severity that it names; with `!` before it, the others.
struct Word {
    text: String,
    inverted: bool,
}

impl Filter {
    fn new(written: &str) -> Self {
        let word = |written: &str| {
            let (inverted, text) = written.strip_prefix('!').map_or((false, written), |text| (true, text));
            Word { text: text.to_lowercase(), inverted }
        };
        Self(written.split_whitespace().map(word).filter(|word| !word.text.is_empty()).collect())
    }

    fn takes(&self, row: &Row) -> bool {
        self.0.iter().all(|word| word.takes(row))
    }
}

impl Word {
    fn takes(&self, row: &Row) -> bool {
        let place = match &row.key {
            RowKey::Target(id) | RowKey::Backend(id, _) | RowKey::Named(id, _) => id.as_str(),
            RowKey::Event(_) => "",
        };
        let holds = |text: &str| text.to_lowercase().contains(&self.text);
        let found = holds(place)
            || row.severity.word() == self.text
            || row.cells.iter().any(|cell| match cell {
                Cell::Text(text) => holds(text.as_str()),
                Cell::Count(number) => holds(&number.to_string()),
                _ => false,
            });
        found != self.inverted
    }
}

/// A cell in plain words, for the clipboard.
pub fn words_of(cell: &Cell) -> String {
    match cell {
        Cell::None => "-".into(),
        Cell::Text(text) => text.to_string(),
        Cell::Count(number) => count(*number),
        Cell::Number(number) => format!("{number:.2}"),
        Cell::Seconds(seconds) => span(*seconds),
        Cell::AtLeast(seconds) => format!("over {}", span(*seconds)),
        Cell::Millis(ms) if *ms < 10.0 => format!("{ms:.1} ms"),
        Cell::Millis(ms) => span(ms / 1e3),
        Cell::Share(share) => format!("{:.1} %", share * 100.0),
        Cell::Bytes(size) => bytes(*size),
        Cell::Rate(rate) => format!("{rate:.1}/s"),
        Cell::Time(at) => at.to_string(),
        Cell::Severity(severity) => severity.word().into(),
    }
}

/// The place of the selected row; when it is gone, the row at its last place. `None` of an empty table.
pub fn selected_row(table: &Table, view: &Viewpoint, tab: Tab) -> Option<usize> {
    let last = table.rows.len().checked_sub(1)?;
    let by_key = view.selected.get(&tab).and_then(|key| table.rows.iter().position(|row| row.key == *key));
    let by_place = || view.selected_at.get(&tab).copied().unwrap_or(0).min(last);
    Some(by_key.unwrap_or_else(by_place))
}
