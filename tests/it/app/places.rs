//! Moving, filtering, sorting, marking, and what the tables say.

use warroom::app::{Cell, Effect, Msg, Overlay, Pane, Place, RowKey, Tab, detail, table};
use warroom::model::{
    BackendState, DatabaseSample, Intent, Lock, LookedLock, PreparedTransaction, SafeText, SessionLook, Wait,
};

use super::bench::{Bench, backend, id, key, pile_up, plans, refused, safe, text};

#[test]
fn panes_stand_in_three_rows_of_two_and_one_below() {
    let mut bench = Bench::new();
    let mut go = |keys: &str| {
        bench.press(keys);
        bench.app.viewpoint.focus
    };
    assert_eq!(go("right"), Pane::Postgres);
    assert_eq!(go("right"), Pane::Postgres);
    assert_eq!(go("j"), Pane::Memory);
    assert_eq!(go("h"), Pane::Cpu);
    assert_eq!(go("down"), Pane::Cache);
    assert_eq!(go("down"), Pane::Events);
    assert_eq!(go("tab"), Pane::Requests);
    assert_eq!(go("shift-tab"), Pane::Events);
    assert_eq!(go("5"), Pane::Cache);
}

#[test]
fn in_and_out_again() {
    let mut bench = Bench::new();
    bench.press("2");
    assert_eq!(*bench.app.viewpoint.place(), Place::Overview);
    bench.press("2");
    assert_eq!(*bench.app.viewpoint.place(), Place::Zoom(Pane::Postgres, Tab::Locks));
    bench.press("right");
    assert_eq!(*bench.app.viewpoint.place(), Place::Zoom(Pane::Postgres, Tab::Sessions));
    bench.press("left enter");
    let row = RowKey::Backend(id("primary"), key(4211));
    assert_eq!(*bench.app.viewpoint.place(), Place::Detail(Tab::Locks, row.clone()));
    let lines = detail(&bench.app, Tab::Locks, &row);
    let of = |label: &str| lines.iter().find(|(known, _)| known == label).map(|(_, cell)| text(cell));
    assert_eq!(of("application").as_deref(), Some("web.3"));
    assert!(of("blocks pid").is_some_and(|pids| pids.contains("4309")));
    bench.press("esc esc");
    assert_eq!(*bench.app.viewpoint.place(), Place::Overview);
    bench.press("z z");
    assert_eq!(*bench.app.viewpoint.place(), Place::Overview);
}

#[test]
fn the_blocking_tree_stands_under_its_root() {
    let bench = Bench::new();
    let locks = table(&bench.app, Tab::Locks);
    assert_eq!(locks.rows.len(), 11);
    assert_eq!(locks.rows[0].key, RowKey::Backend(id("primary"), key(4211)));
    assert!(locks.rows[1..].iter().all(|row| row.depth == 1 && row.last.len() == 2));
    assert!(locks.rows[10].last[1] && !locks.rows[1].last[1]);
    let frees = locks.columns.iter().position(|column| column.title == "FREES").expect("a column");
    assert_eq!(locks.rows[0].cells[frees], Cell::Count(10));
    assert!(locks.summary.contains("10 waiting behind 1 root"), "{}", locks.summary);
}

#[test]
fn what_is_missing_is_not_zero() {
    let mut bench = Bench::new();
    let hosts = table(&bench.app, Tab::Hosts);
    let swap = hosts.columns.iter().position(|column| column.title == "SWAP").expect("a column");
    assert_eq!(hosts.rows[0].cells[swap], Cell::None);
    // A server without a limit hides its queue from the proxy.
    bench.proxy(None);
    let servers = table(&bench.app, Tab::Backends);
    let queue = servers.columns.iter().position(|column| column.title == "QUEUE").expect("a column");
    let web1 = servers.rows.iter().find(|row| row.depth == 1).expect("a server");
    assert_eq!(web1.cells[queue], Cell::None);
}

#[test]
fn a_target_that_does_not_answer_has_a_row_that_says_so() {
    let mut bench = Bench::new();
    bench.wait(1_000);
    bench.take("cache", Err(refused()));
    let caches = table(&bench.app, Tab::Caches);
    assert!(text(caches.rows[0].cells.last().expect("cells")).contains("connection refused"));
    assert!(bench.events().iter().any(|says| says == "cache does not answer: connection refused"));
    // It is asked less and less often, and is down all the while.
    let state =
        |bench: &Bench| bench.app.world.store.target(&id("cache")).expect("configured").state(bench.at);
    bench.wait(15_000);
    assert_eq!(state(&bench), warroom::store::TargetState::Down);
    bench.wait(60_000);
    assert_eq!(state(&bench), warroom::store::TargetState::Stale);
    bench.seconds(3);
    assert!(bench.events().iter().any(|says| says.starts_with("cache answers again, after")));
}

#[test]
fn a_session_s_page_asks_for_its_locks_and_whole_statement() {
    let mut bench = Bench::new();
    let page = |bench: &Bench| {
        let Place::Detail(tab, key) = bench.app.viewpoint.place() else { panic!("no page") };
        let lines = detail(&bench.app, *tab, key);
        lines.iter().map(|(label, cell)| format!("{label} {}", text(cell))).collect::<Vec<_>>()
    };
    let asked = |effects: &[Effect]| match effects {
        [.., Effect::Look(number, _, key)] => (*number, *key),
        other => panic!("{other:?}"),
    };
    let (first, key) = asked(&bench.press("2 2 j enter"));
    assert!(page(&bench).contains(&"looked at asking for its locks and its whole statement".to_owned()));
    let (second, again) = asked(&bench.press("r"));
    assert_eq!(key, again);
    let lock = |kind: &str, on: &str, mode: &str| Lock {
        kind: SafeText::new(kind),
        on: SafeText::new(on),
        mode: SafeText::new(mode),
    };
    let answer = |mode: &str| SessionLook {
        key,
        read_at: bench.app.now,
        xid: Some(SafeText::new("741")),
        query: SafeText::new("update orders set whole = true"),
        query_cut: false,
        locks: vec![
            LookedLock { lock: lock("tuple", "orders", "Exclusive"), held: false, count: 1 },
            LookedLock { lock: lock("relation", "orders", mode), held: true, count: 1 },
        ],
        left_out: 3,
        no_locks: None,
    };
    let (late, now) = (answer("Share"), answer("RowExclusive"));
    bench.msg(Msg::Looked(second, Box::new(Ok(now))));
    bench.msg(Msg::Looked(first, Box::new(Ok(late))));
    let lines = page(&bench);
    for line in [
        "has written yes, as transaction 741",
        "wants orders, Exclusive",
        "holds orders, RowExclusive",
        " and 3 lesser locks",
        "whole statement update orders set whole = true",
    ] {
        assert!(lines.contains(&line.to_owned()), "{line}: {lines:#?}");
    }
}

#[test]
fn rows_are_filtered_and_told_how_many_are_hidden() {
    let mut bench = Bench::new();
    bench.press("2 2 right /");
    bench.enter("WEB.1");
    let shown = table(&bench.app, Tab::Sessions);
    assert_eq!((shown.rows.len(), shown.hidden), (10, 2));
    bench.press("/ ctrl-u");
    bench.enter("!web");
    assert_eq!(table(&bench.app, Tab::Sessions).rows.len(), 1);
    bench.press("esc");
    assert!(bench.app.viewpoint.filter.is_empty());
    assert!(matches!(bench.app.viewpoint.place(), Place::Zoom(..)), "the filter goes first, then the place");
}

#[test]
fn a_table_is_sorted_by_a_column_and_turned_round() {
    let mut bench = Bench::new();
    bench.press("2 2 right :");
    bench.enter("sort pid");
    let first = |bench: &Bench| text(&table(&bench.app, Tab::Sessions).rows[0].cells[0]);
    assert_eq!(first(&bench), "5000");
    bench.press("S");
    assert_eq!(first(&bench), "4211");
    bench.press("s");
    assert!(matches!(bench.app.overlay, Some(Overlay::Menu(_))));
    bench.press("home enter");
    assert!(bench.app.viewpoint.sort.is_empty());
}

#[test]
fn marks_outlive_the_filter_and_the_hidden_are_told() {
    let mut bench = Bench::new();
    bench.press("2 2 j space space space /");
    bench.enter("4300");
    let effects = bench.press("K");
    let [Effect::Plan(_, Intent::TerminateBackend { backends, .. })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(backends.len(), 3);
    assert_eq!(bench.notice(), "3 marked, 2 of them not shown here");
    bench.press("esc C");
    assert!(
        bench.notice().starts_with("3 sessions are marked: one statement at a time"),
        "{}",
        bench.notice()
    );
    bench.press("u");
    assert!(bench.app.viewpoint.marked.is_empty());
}

#[test]
fn a_long_run_of_like_waiters_folds_opens_and_is_found() {
    let mut bench = Bench::new();
    let mut sample = pile_up();
    for pid in 6_000..6_500 {
        let mut one = backend(pid, "web", BackendState::Active, &[4211]);
        one.query = safe(&format!("SELECT * FROM orders WHERE id = {pid}"));
        one.wait = Some(Wait { class: "Lock".into(), event: "tuple".into() });
        one.wait_age = Some(f64::from(pid - 5_990));
        sample.backends.push(one);
    }
    bench.database(sample);
    bench.press("2 2");
    let rows = |bench: &Bench| table(&bench.app, Tab::Locks).rows;
    let at = |bench: &Bench| rows(bench).iter().position(|row| row.key.is_fold()).expect("a fold");
    let few = rows(&bench).len();
    assert!(few < 20, "{few} rows");
    let fold = rows(&bench).remove(at(&bench));
    assert_eq!(text(&fold.cells[0]), "+497");
    // Those that wait longest stay in sight.
    assert_eq!(text(&rows(&bench)[at(&bench) - 1].cells[0]), "6497");
    for _ in 0..at(&bench) {
        bench.press("j");
    }
    bench.press("space");
    assert!(bench.app.viewpoint.marked.is_empty(), "{}", bench.notice());
    bench.press("enter");
    assert_eq!(rows(&bench).len(), few + 497);
    bench.press("j enter");
    let page = bench.app.viewpoint.place().clone();
    assert!(matches!(page, Place::Detail(Tab::Locks, RowKey::Backend(..))), "{page:?}");
    bench.press("esc k enter");
    assert_eq!(rows(&bench).len(), few);
    bench.press("/");
    bench.enter("6003");
    assert_eq!(rows(&bench).len(), 1, "a folded row is found");
}

#[test]
fn the_row_of_a_prepared_transaction_is_rolled_back_by_its_name() {
    let mut bench = Bench::new();
    let prepared = || {
        let one = PreparedTransaction {
            gid: safe("order 42"),
            database: "shop".into(),
            waiters: vec![4300],
            ..PreparedTransaction::default()
        };
        let backends = vec![backend(4300, "web.1", BackendState::Active, &[0])];
        DatabaseSample { prepared: vec![one], backends, ..pile_up() }
    };
    bench.second(prepared());
    bench.press("2 2");
    let row = table(&bench.app, Tab::Locks).rows[0].key.clone();
    assert_eq!(row, RowKey::Named(id("primary"), "prepared order 42".into()));
    let effects = bench.press("K");
    let [Effect::Plan(_, Intent::RollbackPrepared { gid, database, .. })] = &effects[..] else {
        panic!("{effects:?}: {}", bench.notice())
    };
    assert_eq!((gid.as_str(), database.as_str()), ("order 42", "shop"));
}

#[test]
fn the_selection_stays_with_its_row_and_then_with_its_place() {
    let mut bench = Bench::new();
    bench.press("2 2 j j");
    let selected = bench.app.viewpoint.selected[&Tab::Locks].clone();
    let mut sample = pile_up();
    sample.backends.insert(1, backend(4290, "web.9", BackendState::Active, &[4211]));
    bench.second(sample);
    let effects = bench.press("K");
    let RowKey::Backend(_, meant) = selected else { panic!("a session") };
    assert!(
        matches!(&effects[..], [Effect::Plan(_, Intent::TerminateBackend { backends, .. })] if *backends == [meant])
    );
    bench.press("esc");
    let mut sample = pile_up();
    sample.backends.retain(|backend| backend.key != meant);
    bench.second(sample);
    assert_eq!(plans(&bench.press("K")), 1);
}

#[test]
fn x_greys_what_is_protected_and_k_needs_a_session() {
    let mut bench = Bench::new();
    bench.press("X");
    let Some(Overlay::Menu(menu)) = &bench.app.overlay else { panic!("no list") };
    let why: Vec<bool> = menu.items.iter().map(|item| item.why_not.is_some()).collect();
    assert_eq!(why, [false, false, true]);
    assert_eq!(plans(&bench.press("end enter")), 0);
    assert!(bench.notice().contains("protected"));
    assert_eq!(plans(&bench.press("k enter")), 1);
    bench.press("esc 5 5");
    bench.press("K");
    assert!(bench.notice().contains("no session is selected"));
    bench.press("right j");
    // The selected namespace is meant: no list between.
    assert_eq!(plans(&bench.press("X")), 1);
}

#[test]
fn with_nothing_wrong_there_is_nothing_to_fix() {
    let mut bench = Bench::new();
    for _ in 0..120 {
        let mut sample = pile_up();
        sample.backends.truncate(0);
        bench.second(sample);
    }
    assert_eq!(bench.findings(), Vec::<String>::new());
    bench.press("F");
    assert!(bench.notice().contains("nothing to fix"), "{}", bench.notice());
    bench.press("K");
    assert!(bench.notice().contains("nobody blocks anybody"), "{}", bench.notice());
}
