//! What stands over the screen, and what must never break it.

use warroom::app::*;
use warroom::model::*;

use super::drawn::{picture, screen, text};
use super::scenes::{Lab, at, id};
use ratatui::style::Modifier;

fn key() -> BackendKey {
    BackendKey { pid: 4211, started: Timestamp::from_micros(1_763_733_000_118_000) }
}

fn plan() -> Plan {
    Plan {
        id: PlanId("p1".into()),
        intent: Intent::TerminateBackend { target: id("primary"), backends: vec![key()] },
        read_at: at(150),
        title: "End pid 4211 on primary".into(),
        lines: vec![
            PlanLine::new("who", "web.3 as app, from 10.0.0.14, connected 14 min"),
            PlanLine::new("state", "idle in transaction for 2m14s; has written (will roll back)"),
            PlanLine::new("last", "UPDATE users SET plan = $1 WHERE id = $2"),
            PlanLine::new("holds", "users (RowExclusive), users_pkey"),
            PlanLine::new("frees", "38 of 38 at once; nobody else is blocked"),
        ],
        warnings: vec!["what it wrote since 14:01:12 is lost".into()],
        gentler: Some(Gentler {
            intent: None,
            says: "Cancel would do nothing: no statement is running.".into(),
        }),
        verb: "end the session".into(),
        confirm: Confirm::Key,
        touches: 1,
        frees: Some(38),
        identity: "4211".into(),
    }
}

fn confirming(confirm: Confirm) -> Confirming {
    Confirming {
        intent: plan().intent,
        plan: Some(plan()),
        confirm,
        waited: 0,
        shown_at: Some(at(150)),
        typed: String::new(),
        disarmed: None,
        reading: false,
        asked_at: at(150),
        ask: 1,
    }
}

fn pile_up() -> Lab {
    Lab::healthy().with(32, |dials| dials.waiters = 38)
}

fn over(name: &str, overlay: Overlay) -> String {
    let mut lab = pile_up();
    lab.app.overlay = Some(overlay);
    let mut small = String::new();
    for (width, height) in super::SIZES {
        let buf = screen(&lab.app, "terminal", width, height);
        picture(&format!("{name}_{width}x{height}"), &buf);
        if width == 80 {
            small = text(&buf);
            insta::assert_snapshot!(name, small);
        }
    }
    small
}

#[test]
fn the_dialog_before_an_act_says_all_and_offers_to_leave() {
    let seen = over("confirm", Overlay::Confirm(Box::new(confirming(Confirm::Key))));
    for part in
        ["web.3 as app", "38 of 38 at once", "Cancel would do nothing", "[ Leave it ]", "y  end the session"]
    {
        assert!(seen.contains(part), "{part}");
    }
}

#[test]
fn a_dialog_not_yet_armed_and_a_disarmed_one_show_it() {
    let mut lab = pile_up();
    let style_of_y = |lab: &Lab| {
        let buf = screen(&lab.app, "terminal", 80, 24);
        let at = text(&buf).lines().position(|line| line.contains("y  end the session")).expect("there");
        let line = text(&buf).lines().nth(at).expect("there").to_owned();
        let x = line.chars().position(|c| c == 'y').expect("there");
        // The first y of the line is the key: the button beside it holds none.
        buf[(u16::try_from(x).expect("small"), u16::try_from(at).expect("small"))].style()
    };
    let mut dialog = confirming(Confirm::Key);
    dialog.shown_at = Some(lab.app.now);
    lab.app.overlay = Some(Overlay::Confirm(Box::new(dialog.clone())));
    let early = style_of_y(&lab);
    dialog.shown_at = Some(at(100));
    lab.app.overlay = Some(Overlay::Confirm(Box::new(dialog.clone())));
    assert_ne!(early, style_of_y(&lab));
    dialog.disarmed = Some("the session ended by itself".into());
    lab.app.overlay = Some(Overlay::Confirm(Box::new(dialog)));
    let seen = text(&screen(&lab.app, "terminal", 80, 24));
    assert!(seen.contains("the session ended by itself") && seen.contains("[ Close ]"));
    assert!(!seen.contains("y  end the session"));
}

#[test]
fn a_name_to_be_typed() {
    let mut dialog = confirming(Confirm::Name("primary".into()));
    dialog.typed = "prim".into();
    assert!(over("typed", Overlay::Confirm(Box::new(dialog))).contains("prim_"));
}

fn under_way() -> Acting {
    Acting {
        plan: plan(),
        began: at(150),
        progress: Some(Progress {
            plan: PlanId("p1".into()),
            share: 0.41,
            says: "41 200 of about 100 000 keys, 54 000/s, slowest PING 0.4 ms".into(),
        }),
        stopping: false,
        paused: false,
        hurried: false,
        behind: None,
        outcome: None,
    }
}

#[test]
fn an_act_under_way_and_its_outcome() {
    let mut acting = under_way();
    assert!(over("acting", Overlay::Acting(Box::new(acting.clone()))).contains("41 %"));
    let mut outcome = Outcome::new(PlanId("p1".into()), OutcomeKind::Done, "ended pid 4211; 38 of 38 go on");
    outcome.steps = vec![StepResult::Done("pid 4211 is gone".into())];
    acting.outcome = Some(outcome.clone());
    assert!(over("outcome", Overlay::Acting(Box::new(acting.clone()))).contains("38 of 38 go on"));
    let next = Intent::TerminateBackend { target: id("primary"), backends: vec![key()] };
    let next = NextStep { intent: Some(next), says: "end the next in the way, web.7 (pid 99)".into() };
    acting.outcome = Some(Outcome { next: Some(next), ..outcome.clone() });
    let seen = over("outcome_next", Overlay::Acting(Box::new(acting.clone())));
    assert!(
        seen.contains("[ Close ]") && seen.contains("K  end the next in the way, web.7 (pid 99)"),
        "{seen}"
    );
    let advice = "pid 4211 has the signal and ends once the call it is in returns (a disk, an archive, a network \
                  mount); a SIGKILL would restart the whole server";
    acting.outcome = Some(Outcome { next: Some(NextStep { intent: None, says: advice.into() }), ..outcome });
    let seen = over("outcome_advice", Overlay::Acting(Box::new(acting)));
    assert!(seen.contains("restart the whole server"), "{seen}");
}

#[test]
fn a_clear_under_way_shows_what_stands_behind_the_cache() {
    let lab = pile_up();
    let mut behind = warroom::detect::Behind::before(&lab.app.world.store, &id("cache"), lab.app.now);
    behind.look(&lab.app.world.store, lab.app.now);
    let namespace = Namespace::parse("templates", "cache:templates:", false).expect("legal");
    let intent = Intent::ClearNamespace { target: id("cache"), namespace, how: Clearing::default() };
    let acting = Acting {
        plan: Plan { intent, title: "Clear templates on cache".into(), ..plan() },
        behind: Some(behind),
        ..under_way()
    };
    let seen = over("acting_clear", Overlay::Acting(Box::new(acting)));
    assert!(seen.contains("before)") && seen.contains("usable sessions"), "{seen}");
}

#[test]
fn help_palette_and_menu() {
    assert!(over("help", Overlay::Help).contains("carry out the verdict's remedy"));
    let prompt =
        |text: &str| Prompt { input: Input::Palette, text: text.into(), chosen: Some(0), error: None };
    assert!(over("palette", Overlay::Prompt(prompt("m"))).contains("mark-deploy LABEL"));
    let item = |says: &str, why: Option<&str>| MenuItem {
        says: says.into(),
        pick: Pick::Command(Command::Clear),
        why_not: why.map(str::to_owned),
    };
    let items = vec![item("templates on cache", None), item("sessions on cache", Some("protected"))];
    let menu = Menu { title: "Clear a namespace".into(), items, selected: 0 };
    assert!(over("menu", Overlay::Menu(menu)).contains("(protected)"));
}

#[test]
fn a_screen_too_small_says_so_and_still_tells_the_verdict() {
    let lab = pile_up();
    for (width, height) in [(59, 24), (80, 19), (30, 8), (1, 1), (0, 0)] {
        let seen = text(&screen(&lab.app, "terminal", width, height));
        if width >= 30 {
            assert!(seen.contains("LOCKS on primary") && seen.contains("60x20"), "{seen}");
        }
    }
}

#[test]
fn hostile_names_break_no_line() {
    let names = [
        "\u{1b}[2J\u{1b}]0;x\u{7}evil".to_owned(),
        "数据库服务器数据库服务器数据库".to_owned(),
        "a\u{200b}b\u{202e}c\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}".to_owned(),
        "👩‍👩‍👧‍👦🇩🇪".repeat(9),
        "x".repeat(10_240),
    ];
    for name in names {
        let lab = Lab::healthy().with(20, |dials| (dials.holder, dials.waiters) = (name.clone(), 9));
        for (width, height) in super::SIZES {
            let buf = screen(&lab.app, "terminal", width, height);
            for cell in buf.content() {
                assert!(!cell.symbol().chars().any(char::is_control), "{:?}", cell.symbol());
                assert!(cell.symbol().len() <= 24, "{:?}", cell.symbol());
            }
            let seen = text(&buf);
            // The frame between the panes stands where it always stands.
            let divider = width / 2 - 1;
            let first = [(24, 5), (40, 8), (60, 9)].iter().find(|(h, _)| *h == height).expect("known").1;
            assert_eq!(buf[(divider, first)].symbol(), "│", "{seen}");
            assert!(seen.contains("[F]"), "the key is never cut: {seen}");
        }
    }
}

#[test]
fn without_colour_everything_can_still_be_told_apart() {
    let mut lab = pile_up();
    lab.app.overlay = Some(Overlay::Menu(Menu {
        title: "Sort by".into(),
        items: ["pid", "age"]
            .map(|says| MenuItem { says: says.into(), pick: Pick::Sort(0), why_not: None })
            .into(),
        selected: 1,
    }));
    let buf = screen(&lab.app, "mono", 80, 24);
    let reset = ratatui::style::Color::Reset;
    assert!(buf.content().iter().all(|cell| (cell.fg, cell.bg) == (reset, reset)));
    let find = |word: &str| {
        let seen = text(&buf);
        let (y, line) = seen.lines().enumerate().find(|(_, line)| line.contains(word)).expect("there");
        let x = line[..line.find(word).expect("there")].chars().count();
        buf[(u16::try_from(x).expect("small"), u16::try_from(y).expect("small"))].modifier
    };
    assert!(find("age").contains(Modifier::REVERSED));
    assert!(!find("pid  ").contains(Modifier::REVERSED));
    assert!(find("LOCKS").contains(Modifier::BOLD));
}

#[test]
fn read_only_greys_the_key_and_says_why() {
    let mut lab = pile_up();
    lab.app.settings.environment.read_only = true;
    lab.app.settings.environment.read_only_from = "--read-only";
    let seen = text(&screen(&lab.app, "terminal", 120, 40));
    assert!(seen.contains("READ-ONLY") && seen.contains("read-only: --read-only says so"), "{seen}");
}

#[test]
fn a_full_screen_is_drawn_in_well_under_a_frame() {
    let lab = pile_up();
    let mut buf = screen(&lab.app, "terminal", 200, 60);
    let theme = warroom::view::Theme::named("terminal").expect("built in");
    let area = buf.area;
    let mut frame = || {
        let clock = tokio::time::Instant::now();
        warroom::view::view(&lab.app, &theme, area, &mut buf);
        clock.elapsed()
    };
    // The quickest of many is one that nobody interrupted. Unoptimised: a release build takes a tenth of this.
    let quickest = (0..40).map(|_| frame()).min().expect("there are some");
    assert!(quickest < std::time::Duration::from_millis(100), "{quickest:?} a frame");
}

#[test]
fn how_a_statement_would_be_run() {
    let step = |depth, what: &str, rows, share, costliest| ExplainStep {
        depth,
        what: SafeText::new(what),
        rows,
        share,
        costliest,
        ..ExplainStep::default()
    };
    let mut scan = step(2, "Seq Scan on users u", 10.0, 0.97, true);
    scan.details = vec![("filter".into(), SafeText::new("((u.email)::text = ($1)::text)"))];
    scan.beware = vec![SafeText::new(
        "reads all of users (about 2 000 000 rows, 381 MB) to keep about 10: no index was worth using",
    )];
    let explanation = Explanation {
        who: SafeText::new("web.3 (pid 4211), active for 12 s"),
        query: SafeText::new("SELECT * FROM orders o JOIN users u ON u.id = o.user_id WHERE u.email = $1"),
        database: SafeText::new("app"),
        role: SafeText::new("app"),
        steps: vec![
            step(0, "Limit", 20.0, 0.0, false),
            step(1, "Nested Loop", 123_456.0, 0.01, false),
            scan,
            step(2, "Index Scan using orders_user on orders o", 12.0, 0.02, false),
        ],
        notes: vec![SafeText::new(
            "planned now, without its values: with them the server may choose otherwise. Nothing was run",
        )],
        ..Explanation::default()
    };
    let of = ExplainOf::Session { pid: 4211, started: None, query_start: None };
    let ask = ExplainAsk { target: id("primary"), of, search_path: None };
    let mut it = Explaining { ask, number: 1, told: None, scroll: 0 };
    let seen = |it: &Explaining| {
        let mut lab = pile_up();
        lab.app.overlay = Some(Overlay::Explain(Box::new(it.clone())));
        text(&screen(&lab.app, "terminal", 80, 24))
    };
    assert!(seen(&it).contains("nothing is run"));
    it.told = Some(Err(Refusal::refused("a lock is in the way")));
    assert!(seen(&it).contains("a lock is in the way") && seen(&it).contains("[ Close ]"));
    it.told = Some(Ok(explanation));
    let all = over("explain", Overlay::Explain(Box::new(it.clone())));
    for part in ["97 %       10      Seq Scan on users u  ◀ costliest", "! reads all of users", "y  copy"] {
        assert!(all.contains(part), "{part}:\n{all}");
    }
}
