//! The built program, as a script sees it: exit codes, streams, JSON, and what it leaves behind.
#![expect(clippy::unwrap_used, reason = "a test says what it expected by failing")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use sqlx::{Connection, PgConnection};
use warroom::lab;

/// The program with a home of its own and nothing of ours in its environment.
fn warroom(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warroom"));
    command.args(args).env_clear().env("HOME", home).env("LOGNAME", "oncall").current_dir(home);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run(home: &Path, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = warroom(home, args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn wrong_usage_is_64_a_wrong_config_78_and_help_is_an_answer() {
    let home = tempfile::tempdir().unwrap();
    let code = |args: &[&str]| run(home.path(), args).0;
    assert_eq!(code(&["check", "--no-such-flag"]), 64);
    assert_eq!(code(&["kill", "--target", "primary"]), 64, "a kill names a session");
    assert_eq!(code(&["kill", "--target", "p", "--root-blocker", "--started", "2026-01-01T00:00:00Z"]), 64);
    assert_eq!(code(&["--config", "no-such-file", "check"]), 78);
    fs::write(home.path().join("warroom.toml"), "[[target]]\nid = \"a\"\nkind = \"hots\"\n").unwrap();
    let (code, out, err) = run(home.path(), &["check"]);
    assert_eq!((code, out.as_str()), (78, ""));
    assert_eq!(
        err,
        "warroom: warroom.toml:3: kind of target \"a\": there is no kind \"hots\"; did you mean \"host\"?\n"
    );
    for args in [&["--help"][..], &["kill", "--help"], &["--version"]] {
        let (code, out, err) = run(home.path(), args);
        assert!(code == 0 && !out.is_empty() && err.is_empty(), "{args:?}: {code} {err}");
    }
}

#[test]
fn a_deploy_script_marks_without_a_config_and_the_journal_tells_it() {
    let home = tempfile::tempdir().unwrap();
    let (code, out, _) = run(home.path(), &["mark", "v8.1.2", "--note", "checkout", "--json"]);
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, said["outcome"].as_str()), (0, Some("done")));
    let refused = warroom(home.path(), &["mark", "v8"]).env("WARROOM_READ_ONLY", "1").output().unwrap();
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    let (_, journal, _) = run(home.path(), &["journal", "--json"]);
    let line: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    assert_eq!((&line["id"], line["actor"]["user"].as_str()), (&said["id"], Some("oncall")));
    let (_, journal, _) = run(home.path(), &["journal", "--since", "1h"]);
    assert!(journal.contains("deploy v8.1.2 \"checkout\""), "{journal}");
    let (code, _, err) = run(home.path(), &["mark", "v9", "--read-only"]);
    assert_eq!((code, err.as_str()), (4, "warroom: refused: read-only: --read-only says so\n"));
}

#[test]
fn an_intent_without_an_outcome_is_told_as_unsettled() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".local/state/warroom");
    fs::create_dir_all(&folder).unwrap();
    let line = "{\"v\":1,\"at\":\"2026-11-21T03:00:00Z\",\"kind\":\"intent\",\"id\":\"x\",\"environment\":\"test\"}\n";
    fs::write(folder.join("journal.jsonl"), line).unwrap();
    let (_, out, _) = run(home.path(), &["journal"]);
    assert!(out.contains("unsettled: no outcome is known"), "{out}");
    let (_, out, _) = run(home.path(), &["journal", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["unsettled"], true);
}

#[test]
fn a_starter_config_is_private_right_and_never_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(".config/warroom/warroom.toml");
    assert_eq!(run(home.path(), &["init"]).0, 0);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(run(home.path(), &["config", "check"]).0, 0);
    fs::write(&path, "mine").unwrap();
    assert_eq!(run(home.path(), &["init"]).0, 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/warroom.toml");
    let (code, _, err) = run(home.path(), &["--config", example.to_str().unwrap(), "config", "check"]);
    assert_eq!((code, err.as_str()), (0, ""), "the example in the repository is right");
}

#[test]
fn the_settings_in_effect_tell_their_origin_and_no_secret() {
    let home = tempfile::tempdir().unwrap();
    let file = "[[target]]\nid = \"db\"\nkind = \"postgres\"\nurl = \"postgres://u:s3cret@10.0.0.5/app?password=s3cret\"\n";
    fs::write(home.path().join("warroom.toml"), file).unwrap();
    for args in [&["config", "show", "--read-only"][..], &["config", "show", "--json", "--read-only"]] {
        let (code, out, err) = run(home.path(), args);
        assert!(code == 0 && !out.contains("s3cret") && !err.contains("s3cret"), "{out}{err}");
        assert!(
            out.contains("--read-only") && out.contains("line 4") && out.contains("postgres://10.0.0.5/app"),
            "{out}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    let mut child = warroom(home.path(), &["man"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn an_answer_that_could_not_be_written_is_no_success() {
    let home = tempfile::tempdir().unwrap();
    for args in [&["--help"][..], &["--version"], &["man"], &["mark", "v1"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let ended = warroom(home.path(), args).stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.code() == Some(1) && said.contains("cannot print"), "{args:?}: {said}");
    }
}

#[test]
fn more_targets_than_a_session_may_open_files_are_all_polled() {
    let home = tempfile::tempdir().unwrap();
    let server = lab::redis::start(&[]).unwrap();
    let one = |n| {
        format!(
            "[[target]]\nid = \"r{n}\"\nkind = \"redis\"\nurl = \"{}\"\ntimeout = \"1m\"\n",
            server.url(0)
        )
    };
    let targets = (0..100).map(one).collect::<String>();
    fs::write(home.path().join("warroom.toml"), targets).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -S -n 40 && exec \"$0\" check --json", env!("CARGO_BIN_EXE_warroom")]);
    let ended = command.env("HOME", home.path()).current_dir(home.path()).output().unwrap();
    let said: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let up = said["targets"].as_array().unwrap().iter().filter(|target| target["state"] == "up").count();
    assert_eq!(up, 100, "{said:#}");
}

#[test]
fn a_signal_ends_a_check_at_once() {
    let home = tempfile::tempdir().unwrap();
    let mut child = warroom(home.path(), &["check", "--samples", "1000"]).spawn().unwrap();
    // What was found without a config is told before the first poll; the signals are heard right after.
    let mut first = String::new();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    err.read_line(&mut first).unwrap();
    assert!(
        first.starts_with("warroom: no config file (`warroom init` writes one): watching this machine"),
        "{first}"
    );
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = child.wait().unwrap();
    assert!(status.code() == Some(143) || status.signal() == Some(15), "{status:?}");
}

#[tokio::test]
async fn a_pile_up_is_named_shown_refused_freed_and_written_down() {
    let home = tempfile::tempdir().unwrap();
    let server = lab::postgres::start(None).unwrap();
    let url = server.url("warroom");
    fs::write(
        home.path().join("warroom.toml"),
        format!("[[target]]\nid = \"primary\"\nkind = \"postgres\"\nurl = \"{url}\"\n"),
    )
    .unwrap();
    let mut holder =
        PgConnection::connect(&format!("{}?application_name=web.3", server.url("app"))).await.unwrap();
    sqlx::raw_sql("select pg_advisory_lock(7)").execute(&mut holder).await.unwrap();
    let mut waiter = PgConnection::connect(&server.url("app")).await.unwrap();
    let waiting =
        tokio::spawn(async move { sqlx::raw_sql("select pg_advisory_lock(7)").execute(&mut waiter).await });
    let kill = |more: &[&'static str]| {
        let args: Vec<&str> = [&["kill", "--target", "primary", "--root-blocker", "--json"], more].concat();
        let (code, out, err) = run(home.path(), &args);
        (code, serde_json::from_str::<Value>(&out).unwrap_or_else(|_| err.into()))
    };
    // Until the waiter has come to wait there is nothing to do; the program itself says when.
    let (code, preview) = loop {
        let (code, said) = kill(&["--dry-run"]);
        if said["outcome"] != "nothing_to_do" {
            break (code, said);
        }
        // The waiter runs on this thread too and needs its turn to begin to wait.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!((code, &preview["dry_run"]), (0, &Value::Bool(true)), "{preview}");
    let (code, refused) = kill(&[]);
    assert_eq!(
        (code, refused["outcome"].as_str()),
        (4, Some("refused")),
        "no terminal, no consent: {refused}"
    );
    let (code, done) = kill(&["--yes"]);
    assert_eq!(
        (code, done["outcome"].as_str(), done["freed"].as_u64()),
        (0, Some("done"), Some(1)),
        "{done}"
    );
    waiting.await.unwrap().unwrap();
    let (code, again) = kill(&["--yes"]);
    assert_eq!((code, again["outcome"].as_str()), (4, Some("nothing_to_do")), "{again}");
    let (_, journal, _) = run(home.path(), &["journal"]);
    assert_eq!(journal.lines().count(), 1, "{journal}");
    assert!(journal.contains("→ done: ended pid"), "{journal}");
    // A disk that takes no line: nothing is done, though the session is named and alive.
    let config = fs::read_to_string(home.path().join("warroom.toml")).unwrap();
    fs::write(home.path().join("warroom.toml"), format!("{config}[journal]\npath = \"/dev/full\"\n"))
        .unwrap();
    let mut holder = PgConnection::connect(&server.url("app")).await.unwrap();
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut holder).await.unwrap();
    let (code, out, _) =
        run(home.path(), &["kill", "--target", "primary", "--pid", &pid.to_string(), "--yes", "--json"]);
    assert!(code == 1 && out.contains("nothing is done without it"), "{code} {out}");
    sqlx::raw_sql("select 1").execute(&mut holder).await.unwrap();
}

#[test]
fn a_full_disk_is_told_by_the_first_look() {
    let home = tempfile::tempdir().unwrap();
    let text = "[[target]]\nid = \"me\"\nkind = \"host\"\n[thresholds.\"host.disk\"]\nwarning = 1e-9\ncritical = 1e-6\n";
    fs::write(home.path().join("warroom.toml"), text).unwrap();
    for args in [&["check", "--json"][..], &["check", "--json", "--samples", "1"]] {
        let (code, out, _) = run(home.path(), args);
        let said: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(code, 2, "{}", said["findings"]);
        let all = said["findings"].as_array().unwrap();
        let disk = all.iter().find(|it| it["resource"] == "host.disk").unwrap();
        assert_eq!(disk["severity"], "critical", "{disk}");
    }
}

#[test]
fn the_man_page_names_no_page_that_is_not_there() {
    let home = tempfile::tempdir().unwrap();
    let (code, page, _) = run(home.path(), &["man"]);
    assert_eq!(code, 0);
    for told in ["ENVIRONMENT", "WARROOM_READ_ONLY", "FILES", "warroom check"] {
        assert!(page.contains(told), "{told}");
    }
    let others: Vec<&str> = page.lines().filter(|line| line.contains("(1)")).collect();
    assert!(others.is_empty(), "{others:?}");
}
