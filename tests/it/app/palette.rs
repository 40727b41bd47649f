//! Every command by its name, with its argument.

use warroom::app::{COMMANDS, Effect, LabAsk, Overlay, Place, suggest};
use warroom::model::Intent;

use super::bench::{Bench, id, plans};

fn error(bench: &Bench) -> String {
    match &bench.app.overlay {
        Some(Overlay::Prompt(prompt)) => prompt.error.clone().unwrap_or_default(),
        _ => String::new(),
    }
}

fn run(bench: &mut Bench, line: &str) -> Vec<Effect> {
    bench.press(":");
    bench.enter(line)
}

#[test]
fn names_with_their_arguments() {
    let mut bench = Bench::new();
    let effects = run(&mut bench, "clear templates");
    let [Effect::Plan(_, Intent::ClearNamespace { target, namespace, .. })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((target, namespace.name.as_str()), (&id("cache"), "templates"));
    bench.press("esc");
    let effects = run(&mut bench, "mark v8.1.2 checkout rewrite");
    let [Effect::Plan(_, Intent::MarkDeploy { label, note })] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((label.as_str(), note.as_str()), ("v8.1.2", "checkout rewrite"));
    bench.press("esc");
    assert_eq!(run(&mut bench, "theme mono"), vec![Effect::Theme("mono".into())]);
    let broken = Effect::Lab("/lab".into(), LabAsk::Break("lock-pileup".into()));
    assert_eq!(run(&mut bench, "lab-break lock-pileup"), vec![broken]);
    run(&mut bench, "at -2s");
    assert!(bench.app.past.is_some());
    run(&mut bench, "live");
    run(&mut bench, "filter web.3");
    assert_eq!(bench.app.viewpoint.filter, "web.3");
    run(&mut bench, "postgres");
    assert!(matches!(bench.app.viewpoint.place(), Place::Zoom(warroom::app::Pane::Postgres, _)));
}

#[test]
fn what_is_wrong_is_said_in_the_line_which_stays() {
    let mut bench = Bench::new();
    for (line, says) in [
        ("claer templates", "the nearest is clear"),
        ("clear nothing", "there are templates, pages, sessions"),
        ("clear sessions", "protected"),
        ("theme pink", "there are terminal, mono, high-contrast"),
        ("at noon", "write 14:05"),
        ("lab-break nothing", "there are lock-pileup, slow-app"),
        ("quit now", "takes nothing"),
    ] {
        assert!(run(&mut bench, line).is_empty(), "{line} did something");
        assert!(error(&bench).contains(says), "{line}: {}", error(&bench));
        bench.press("esc");
    }
}

#[test]
fn suggestions_begin_with_what_is_typed_then_hold_it() {
    let mut bench = Bench::new();
    let texts = |bench: &Bench, typed: &str| {
        suggest(&bench.app, typed).into_iter().map(|it| it.text).collect::<Vec<_>>()
    };
    assert_eq!(texts(&bench, "mark"), ["mark-deploy", "mark-row", "unmark"]);
    assert_eq!(texts(&bench, "clear s"), ["clear sessions", "clear templates", "clear pages"]);
    assert_eq!(texts(&bench, "theme "), ["theme terminal", "theme mono", "theme high-contrast"]);
    bench.press(": c l e tab");
    let Some(Overlay::Prompt(prompt)) = &bench.app.overlay else { panic!("closed") };
    assert_eq!(prompt.text, "clear ");
    assert_eq!(plans(&bench.press("down enter")), 1);
}

#[test]
fn every_command_can_be_reached() {
    for info in COMMANDS {
        let mut bench = Bench::new();
        run(&mut bench, info.name);
        let unknown = error(&bench).contains("no such command");
        assert!(!unknown, "{} is not known", info.name);
    }
}
