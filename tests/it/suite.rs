//! What `scripts/suite` makes of tests that fail: a second try for few, none for many, a crash or a failed build.

#![expect(clippy::unwrap_used, reason = "what fails fails the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Answers in cargo's place: with the text laid ready for the call, and the code on its first line.
const CARGO: &str = r#"#!/bin/sh
case "$*" in
    "test --no-run") answer=build ;;
    "test --no-fail-fast -- "*) answer=all ;;
    "test --test it -- "*) answer=alone ;;
    "test "*" -- --exact --test-threads=1 "*) answer=again; echo "$*" >>"$FAKE/calls" ;;
    *) echo "a call that nobody expects: $*"; exit 99 ;;
esac
[ -e "$FAKE/$answer" ] || exit 0
tail -n +2 "$FAKE/$answer"
exit "$(head -n 1 "$FAKE/$answer")"
"#;

const FINE: &str = "0
     Running unittests src/lib.rs (target/debug/deps/warroom-0a1b)

running 1 test
test model::one ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

/// What libtest prints when these tests of the integration binary fail.
fn failing(names: &[&str]) -> String {
    let mut text =
        String::from("101\n     Running tests/it/main.rs (target/debug/deps/it-0a1b)\n\nrunning 9 tests\n");
    text.extend(names.iter().map(|name| format!("test {name} ... FAILED\n")));
    text += "\nfailures:\n";
    text.extend(names.iter().map(|name| {
        format!(
            "\n---- {name} stdout ----\nfailures:\n    a_name_that_a_test_printed\n\n\
             thread '{name}' (7) panicked at tests/it/x.rs:1:2:\nthe queue of {name} stayed full\n"
        )
    }));
    text += "\n\nfailures:\n";
    text.extend(names.iter().map(|name| format!("    {name}\n")));
    let failed = names.len();
    text + &format!(
        "\ntest result: FAILED. 3 passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out\n"
    )
}

struct Seen {
    code: i32,
    said: String,
    calls: String,
}

fn suite(answers: &[(&str, &str)]) -> Seen {
    let fake = TempDir::new().unwrap();
    let cargo = fake.path().join("cargo");
    fs::write(&cargo, CARGO).unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    for (name, answer) in answers {
        fs::write(fake.path().join(name), answer).unwrap();
    }
    let path = format!("{}:{}", fake.path().display(), std::env::var("PATH").unwrap());
    let ended = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/suite"))
        .env("PATH", path)
        .env("FAKE", fake.path())
        .env("TMPDIR", fake.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    let calls = fs::read_to_string(fake.path().join("calls")).unwrap_or_default();
    Seen { code: ended.status.code().unwrap(), said, calls }
}

/// The end of the output: what stands behind the headline.
fn summary(seen: &Seen) -> &str {
    seen.said.split_once("==== ").map_or("", |(_, summary)| summary)
}

#[test]
fn without_a_failure_nothing_is_said() {
    let seen = suite(&[("all", FINE), ("alone", FINE)]);
    assert_eq!((seen.code, summary(&seen), seen.calls.as_str()), (0, "", ""), "{}", seen.said);
}

#[test]
fn one_that_passes_alone_is_told_and_forgiven() {
    let again = FINE.replace(
        "unittests src/lib.rs (target/debug/deps/warroom-",
        "tests/it/main.rs (target/debug/deps/it-",
    );
    let seen = suite(&[("all", &failing(&["a::one"])), ("alone", &failing(&["b::two"])), ("again", &again)]);
    assert_eq!(seen.code, 0, "{}", seen.said);
    let calls = "test --test=it -- --exact --test-threads=1 a::one\ntest --test=it -- --exact --test-threads=1 b::two\n";
    assert_eq!(seen.calls, calls, "{}", seen.said);
    let told = summary(&seen);
    assert!(told.starts_with("2 of the tests failed:"), "{told}");
    assert!(told.contains("a::one: failed, then passed when tried again, alone"), "{told}");
    assert!(told.contains("the queue of b::two stayed full") && !told.contains("a_name_that"), "{told}");
}

#[test]
fn one_that_fails_again_fails_the_suite_and_both_reasons_are_told() {
    let again = failing(&["a::one"]).replace("stayed full", "was still full");
    let seen = suite(&[("all", &failing(&["a::one"])), ("alone", FINE), ("again", &again)]);
    assert_eq!(seen.code, 1, "{}", seen.said);
    let told = summary(&seen);
    for words in ["a::one: failed, then failed again, alone", "stayed full", "was still full"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn a_second_try_that_runs_no_test_is_none() {
    let again = FINE.replace("ok. 1 passed", "ok. 0 passed");
    let seen = suite(&[("all", &failing(&["a::one"])), ("alone", FINE), ("again", &again)]);
    assert_eq!(seen.code, 1, "{}", seen.said);
}

#[test]
fn many_failures_are_no_bad_luck() {
    let seen = suite(&[("all", &failing(&["a::1", "a::2", "a::3", "a::4"])), ("alone", FINE)]);
    assert_eq!((seen.code, seen.calls.as_str()), (1, ""), "{}", seen.said);
    let told = summary(&seen);
    assert!(told.contains("a::4: failed, not tried again") && told.contains("more than 3"), "{told}");
}

#[test]
fn a_crash_or_a_failed_build_is_not_tried_again() {
    let crash = failing(&["a::one"]).split("test result").next().unwrap().to_owned();
    let seen = suite(&[("all", &crash), ("alone", FINE)]);
    assert_eq!((seen.code, seen.calls.as_str()), (1, ""), "{}", seen.said);
    assert!(summary(&seen).contains("--test=it ended without a result"), "{}", seen.said);

    let seen = suite(&[("build", "101\nerror: could not compile `warroom`\n"), ("all", FINE)]);
    assert_eq!(seen.code, 101, "{}", seen.said);
    assert!(!seen.said.contains("running"), "{}", seen.said);
}
