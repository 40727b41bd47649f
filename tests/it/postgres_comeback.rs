//! An application whose session was ended and that comes back at once, to hold the others up again: ending it
//! mends nothing, and that is told, in the console and on the command line.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made fails the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::task::JoinSet;
use tokio::time::sleep;
use warroom::lab;
use warroom::lab::postgres::Postgres;
use warroom::model::{Backend, BackendState, DatabaseSample};

use super::postgres::{accounts, poll_until, server, source, spec, waiters};
use super::pty::{Start, Terminal};

/// Who waits for the row.
const OTHERS: usize = 4;

/// Clients on a thread of their own, so that they go on while a test waits for a terminal; gone with this.
struct Trouble {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Trouble {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A report that keeps the row until it is cut off, and then comes back and takes it again; and four others that
/// want the row, for a moment each.
async fn trouble(server: &Postgres) -> Trouble {
    accounts(server).await;
    let over = Arc::new(AtomicBool::new(false));
    let url = |name: &str| format!("{}?application_name={name}", server.url("app"));
    let (stop, holds, wants) = (over.clone(), url("report"), [0; OTHERS].map(|_| url("web")));
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let mut all = JoinSet::new();
            all.spawn(report(holds, stop.clone()));
            all.spawn({
                let mut watch = PgConnection::connect(&wants[0]).await.unwrap();
                async move {
                    // The report goes first.
                    while !held_by(&mut watch, "report").await {
                        sleep(Duration::from_millis(20)).await;
                    }
                    futures_util::future::join_all(wants.map(|url| web(url, stop.clone()))).await;
                }
            });
            while all.join_next().await.is_some() {}
        });
    });
    let trouble = Trouble { over, thread: Some(thread) };
    let mut watch = source(&spec(server));
    poll_until(&mut watch, "those who wait", |sample| held(sample) && waiters(sample) == OTHERS).await;
    trouble
}

async fn report(url: String, over: Arc<AtomicBool>) {
    while !over.load(Ordering::Relaxed) {
        if let Ok(mut line) = PgConnection::connect(&url).await
            && line.execute("begin; update accounts set n = n + 1 where id = 1").await.is_ok()
        {
            // Asks for nothing: it stays idle in its transaction until it is cut off.
            while line.ping().await.is_ok() && !over.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(50)).await;
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn web(url: String, over: Arc<AtomicBool>) {
    let mut line = PgConnection::connect(&url).await.unwrap();
    while !over.load(Ordering::Relaxed)
        && line.execute("update accounts set n = n + 1 where id = 1").await.is_ok()
    {
        sleep(Duration::from_millis(20)).await;
    }
}

/// Whether this application is idle in a transaction.
async fn held_by(line: &mut PgConnection, name: &str) -> bool {
    const HELD: &str = "select count(*) > 0 from pg_stat_activity where application_name = $1 \
                        and state = 'idle in transaction'";
    sqlx::query_scalar(HELD).bind(name).fetch_one(line).await.unwrap()
}

/// The report has the row.
fn held(sample: &DatabaseSample) -> bool {
    let holds = |one: &Backend| one.who() == "report" && one.state == BackendState::IdleInTransaction;
    sample.backends.iter().any(holds)
}

fn config(server: &Postgres, folder: &lab::Folder) -> String {
    let journal = folder.path().join("journal.jsonl");
    let url = server.url("warroom");
    format!(
        "[[target]]\nid = \"primary\"\nkind = \"postgres\"\nurl = \"{url}\"\n[journal]\npath = \"{}\"\n",
        journal.display()
    )
}

#[tokio::test]
async fn the_console_tells_that_it_is_back_in_the_dialog_and_beside_the_verdict() {
    let server = server(&[]);
    let trouble = trouble(&server).await;
    let folder = lab::Folder::temporary("comeback").unwrap();
    let config = config(&server, &folder);
    let mut terminal = Terminal::start(&Start { config: &config, size: (140, 40), ..Start::default() });
    terminal.until_says("4 wait behind it");
    terminal.keys("F");
    terminal.until_says("4 of 4 waiters");
    terminal.listen(Duration::from_millis(600));
    terminal.keys("y");
    terminal.until_says("4 of 4 that waited go on");
    terminal.until_says("report is back on primary after");
    terminal.keys("\r");
    terminal.until_says("after its session was ended at");
    terminal.until_says("ending it does not last, stop what starts it");
    terminal.resize(80, 24);
    terminal.until("it in short", |screen| {
        let text = screen.contents();
        text.contains("after its end: stop what starts it") && text.contains("[F] end it")
    });
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    drop(trouble);
}

#[tokio::test]
async fn the_command_line_looks_whether_it_comes_back() {
    let server = server(&[]);
    let trouble = trouble(&server).await;
    let folder = lab::Folder::temporary("comeback").unwrap();
    let file = folder.path().join("warroom.toml");
    std::fs::write(&file, config(&server, &folder)).unwrap();
    let kill = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_warroom"));
        command.args(["kill", "--target", "primary", "--root-blocker", "--yes", "--config"]).arg(&file);
        command.args(more).env("HOME", folder.path());
        command
    };
    let told = tokio::task::spawn_blocking({
        let mut command = kill(&["--watch", "60s", "--json"]);
        move || command.output().unwrap()
    });
    let told = told.await.unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&told["outcome"], &told["freed"]), (&"done".into(), &OTHERS.into()), "{told}");
    assert_eq!(told["back"]["application_name"], "report", "{told}");
    assert!(told["back"]["pid"].as_i64() > Some(0) && told["back"]["pid"] != told["pid"], "{told}");

    let mut watch = source(&spec(&server));
    poll_until(&mut watch, "those who wait", |sample| held(sample) && waiters(sample) == OTHERS).await;
    // A terminal: it asks, tells at once what was done, and then looks of itself.
    let args = ["kill", "--target", "primary", "--root-blocker"];
    let config = config(&server, &folder);
    let mut terminal =
        Terminal::start(&Start { config: &config, args: &args, size: (140, 40), ..Start::default() });
    terminal.until_says("[y/N]");
    terminal.keys("y\r");
    terminal.until_says("whether it comes back");
    terminal.until_says("! report is back on primary after");
    assert_eq!(terminal.end(), 0);

    // Without being told to, a script's kill does not wait for it.
    poll_until(&mut watch, "those who wait", |sample| held(sample) && waiters(sample) == OTHERS).await;
    let mut command = kill(&["--json"]);
    let out = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let told: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&told["outcome"], told.get("back")), (&"done".into(), None), "{told}");
    drop(trouble);
}
