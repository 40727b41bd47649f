//! What an acting command would hit here, by exact identity, or why there is nothing to hit.

use super::{moves, queues, servers};
use crate::app::tables::{FOUND, as_config};
use crate::app::{App, Command, Place, RowKey, Tab, table};
use crate::model::{BackendKey, Culprit, ExplainAsk, ExplainOf, Intent, Namespace, Resource, TargetId};

/// Why a command cannot be carried out here and now; `None` when it can.
pub fn why_not(app: &App, command: Command) -> Option<String> {
    let acts = matches!(
        command,
        Command::Fix
            | Command::Terminate
            | Command::Cancel
            | Command::Clear
            | Command::Drain
            | Command::Ready
            | Command::Maintenance
            | Command::Weight
            | Command::PauseQueue
            | Command::MarkDeploy
            | Command::LabBreak
            | Command::LabHeal
    );
    if acts && let Some(why) = app.why_no_action() {
        return Some(why);
    }
    let row = || moves::row(app).is_none().then(|| "no row is selected".to_owned());
    match command {
        Command::Fix => fix(app).err(),
        Command::Terminate => terminate(app).err(),
        Command::Cancel => cancel(app).err(),
        Command::Clear => namespaces(app).err(),
        Command::Drain | Command::Ready | Command::Maintenance => servers::intent(app, command).err(),
        Command::Weight => servers::selected(app).err(),
        Command::PauseQueue => queues::intent(app).err(),
        Command::Explain => explain(app).err(),
        Command::Acknowledge if app.past.is_some() => Some("this is the past: L returns".into()),
        Command::Acknowledge => {
            app.world.judgement.findings.is_empty().then(|| "there is nothing to acknowledge".into())
        }
        Command::Mark | Command::Copy => row(),
        Command::Unmark => app.viewpoint.marked.is_empty().then(|| "no row is marked".into()),
        Command::Sort | Command::SortReverse => {
            let zoomed = matches!(app.viewpoint.place(), Place::Zoom(..));
            (!zoomed).then(|| "there is no table here: Enter opens one".into())
        }
        Command::LabBreak | Command::LabHeal => {
            app.settings.lab.is_none().then(|| "this console does not look at a lab".into())
        }
        _ => None,
    }
}

/// The intent of the verdict's remedy, or of the first finding that has one.
pub(super) fn fix(app: &App) -> Result<Intent, String> {
    let judgement = &app.world.judgement;
    let remedy = |of: &Option<crate::model::Remedy>| of.as_ref().and_then(|remedy| remedy.intent.clone());
    remedy(&judgement.verdict.remedy)
        .or_else(|| judgement.findings.iter().find_map(|finding| remedy(&finding.remedy)))
        .ok_or_else(|| match (&judgement.verdict.remedy, judgement.findings.is_empty()) {
            (Some(remedy), _) => format!("no key mends this: {}", remedy.says),
            (None, true) => "nothing is under pressure: there is nothing to fix".into(),
            (None, false) => "no key mends this: open the finding's pane and look".into(),
        })
}

/// The sessions to end: the marked ones, else the selected one, else the root blocker.
pub(super) fn terminate(app: &App) -> Result<Intent, String> {
    let marked = marked_backends(app);
    if let Some((target, _)) = marked.first() {
        if marked.iter().any(|(other, _)| other != target) {
            return Err("the marked sessions are on several servers: mark those of one".into());
        }
        let (target, backends) = (target.clone(), marked.iter().map(|(_, key)| *key).collect());
        return Ok(Intent::TerminateBackend { target, backends });
    }
    match here(app) {
        Some(RowKey::Backend(target, key)) => {
            return Ok(Intent::TerminateBackend { target, backends: vec![key] });
        }
        Some(RowKey::Named(target, name)) => return prepared(app, target, &name),
        _ => {}
    }
    if !matches!(app.viewpoint.place(), Place::Overview) {
        return Err("no session is selected: 2 goes to PostgreSQL".into());
    }
    let locks = lock_finding(app).ok_or("nobody blocks anybody: 2 and Enter list the sessions")?;
    let remedy = locks.remedy.as_ref().and_then(|remedy| remedy.intent.clone());
    if let Some(intent @ Intent::TerminateBackend { .. }) = remedy {
        return Ok(intent);
    }
    match locks.culprit.as_ref().and_then(Culprit::backend_key) {
        Some(key) => Ok(Intent::TerminateBackend { target: locks.target.target(), backends: vec![key] }),
        None => Err(locks.remedy.as_ref().map_or_else(
            || "no session alone is to blame: open the locks and look".into(),
            |remedy| format!("no session to end: {}", remedy.says),
        )),
    }
}

/// The statement to stop: the selected session's, else the root blocker's.
pub(super) fn cancel(app: &App) -> Result<Intent, String> {
    let marked = marked_backends(app).len();
    if marked > 1 {
        return Err(format!(
            "{marked} sessions are marked: one statement at a time is cancelled; u unmarks, K ends them"
        ));
    }
    let one = marked_backends(app).pop().map(|(target, key)| RowKey::Backend(target, key));
    let (target, backend) = match one.or_else(|| here(app)) {
        Some(RowKey::Backend(target, key)) => (target, key),
        _ if matches!(app.viewpoint.place(), Place::Overview) => match terminate(app)? {
            Intent::TerminateBackend { target, backends } if backends.len() == 1 => (target, backends[0]),
            _ => return Err("several sessions block together: choose one in the locks".into()),
        },
        _ => return Err("no session is selected: 2 goes to PostgreSQL".into()),
    };
    let query_start = statement(app, &target, backend);
    Ok(Intent::CancelBackend { target, backend, query_start })
}

/// The prepared transaction of a row of the locks: it has no session, ending it is a rollback.
fn prepared(app: &App, target: TargetId, row: &str) -> Result<Intent, String> {
    let unnamed = || "the server does not tell which prepared transaction this is".to_owned();
    let gid = row.strip_prefix("prepared ").ok_or_else(unnamed)?;
    let sample = app.world.store.target(&target).and_then(|it| it.sample.as_deref()).ok_or_else(unnamed)?;
    let crate::model::Sample::Database(sample) = &sample.it else { return Err(unnamed()) };
    let one = sample.prepared.iter().find(|one| one.gid.as_str() == gid).ok_or_else(unnamed)?;
    let database = one.database.as_str().to_owned();
    Ok(Intent::RollbackPrepared { target, gid: gid.to_owned(), database })
}

/// The statement to explain: the selected session's or the selected one of the statistics; on the
/// overview the session's that is to blame.
pub(super) fn explain(app: &App) -> Result<ExplainAsk, String> {
    if app.past.is_some() {
        return Err("this is the past: L returns".into());
    }
    let session = |target: TargetId, key: BackendKey| {
        let query_start = statement(app, &target, key);
        let of = ExplainOf::Session { pid: key.pid, started: Some(key.started), query_start };
        ExplainAsk { target, of, search_path: None }
    };
    if let Some(RowKey::Backend(target, key)) = here(app) {
        return Ok(session(target, key));
    }
    if let (Some(Tab::Statements), Some(RowKey::Named(target, name))) = (moves::tab(app), moves::row(app)) {
        let it = crate::app::statement_of(app, &target, &name).ok_or("that statement is gone: look again")?;
        let known = |text: &crate::model::SafeText| (!text.is_empty()).then(|| text.to_string());
        let (user, database) = (known(&it.user), known(&it.database));
        let of = ExplainOf::Statistics { query_id: it.query_id, user, database };
        return Ok(ExplainAsk { target, of, search_path: None });
    }
    let blamed = || {
        let findings = &app.world.judgement.findings;
        findings.iter().find_map(|it| Some(session(it.target.target(), it.culprit.as_ref()?.backend_key()?)))
    };
    let overview = matches!(app.viewpoint.place(), Place::Overview);
    overview
        .then(blamed)
        .flatten()
        .ok_or_else(|| "no session and no statement is selected: 2 goes to PostgreSQL".into())
}

/// Start of the statement that is on the screen: that one is meant, not the next.
fn statement(app: &App, target: &TargetId, key: BackendKey) -> Option<crate::model::Timestamp> {
    let sample = app.world.store.target(target)?.sample.as_deref()?;
    match &sample.it {
        crate::model::Sample::Database(it) => it.backends.iter().find(|b| b.key == key)?.query_start,
        _ => None,
    }
}

fn lock_finding(app: &App) -> Option<&crate::model::Finding> {
    let mut locks =
        app.world.judgement.findings.iter().filter(|finding| finding.resource == Resource::PostgresLocks);
    // Findings stand in the order of attention; one that names a session is of more use.
    locks
        .clone()
        .find(|finding| {
            finding.remedy.as_ref().is_some_and(|remedy| remedy.intent.is_some())
                || finding.culprit.as_ref().is_some_and(|culprit| culprit.backend_key().is_some())
        })
        .or_else(|| locks.next())
}

/// The row that is meant, where it is one of PostgreSQL's tables.
fn here(app: &App) -> Option<RowKey> {
    matches!(moves::tab(app), Some(Tab::Locks | Tab::Sessions)).then(|| moves::row(app)).flatten()
}

/// Marked sessions, where their table is on the screen.
pub(super) fn marked_backends(app: &App) -> Vec<(TargetId, BackendKey)> {
    if !matches!(app.viewpoint.place(), Place::Zoom(_, Tab::Locks | Tab::Sessions)) {
        return Vec::new();
    }
    let backend = |key: &RowKey| match key {
        RowKey::Backend(target, key) => Some((target.clone(), *key)),
        _ => None,
    };
    app.viewpoint.marked.iter().filter_map(backend).collect()
}

/// How many marked rows the table on the screen does not show.
pub(super) fn marked_and_hidden(app: &App) -> usize {
    let Place::Zoom(_, tab) = app.viewpoint.place() else { return 0 };
    let shown = table(app, *tab);
    app.viewpoint.marked.iter().filter(|key| !shown.rows.iter().any(|row| row.key == **key)).count()
}

/// The namespaces that a clear could be about; not empty.
pub(super) fn namespaces(app: &App) -> Result<Vec<(TargetId, Namespace)>, String> {
    let all = &app.settings.namespaces;
    let row = match moves::tab(app) {
        Some(Tab::Namespaces | Tab::Caches) => moves::row(app),
        _ => None,
    };
    if all.is_empty() && !matches!(&row, Some(RowKey::Named(_, name)) if name.starts_with(FOUND)) {
        return Err("no namespace is configured: add a [[target.namespace]] with name and prefix".into());
    }
    let meant: Vec<_> = match row {
        Some(RowKey::Named(target, name)) if name.starts_with(FOUND) => {
            let prefix = name.trim_start_matches(FOUND);
            return Err(if prefix.is_empty() {
                "keys without a prefix cannot be cleared as one".into()
            } else {
                format!("only what the config names is cleared: add to {target} {}", as_config(prefix))
            });
        }
        Some(RowKey::Named(target, name)) => {
            all.iter().filter(|(id, it)| *id == target && it.name == name).cloned().collect()
        }
        Some(RowKey::Target(target)) => all.iter().filter(|(id, _)| *id == target).cloned().collect(),
        _ => Vec::new(),
    };
    Ok(if meant.is_empty() { all.clone() } else { meant })
}
