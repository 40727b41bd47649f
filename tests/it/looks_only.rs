//! What holds of the code that talks to targets, and no compiler knows: outside `actions/` it asks and changes
//! nothing, it starts no program but those named here, and what a server says is kept cleaned.

use std::path::PathBuf;
use std::sync::Arc;

use warroom::config::{Config, TargetSpec};
use warroom::model::{Intent, TargetId, Timestamp};
use warroom::shell::perform::Hands;

use crate::tidy::{Code, files, root, rust_files};

/// The folders that reach targets and must not change them.
const LOOKS: &[&str] = &["sources", "dial", "explain"];

/// The Redis commands that are sent from there; those with a second word only with that one.
const REDIS: &[&str] = &[
    "ACL DRYRUN",
    "ACL WHOAMI",
    "CLIENT LIST",
    "CLIENT SETNAME",
    "CLUSTER INFO",
    "CLUSTER SLOTS",
    "DBSIZE",
    "EXISTS",
    "GET",
    "HGET",
    "HGETALL",
    "HLEN",
    "HMGET",
    "HSCAN",
    "HVALS",
    "INFO",
    "LINDEX",
    "LLEN",
    "LRANGE",
    "MEMORY USAGE",
    "OBJECT IDLETIME",
    "PING",
    "PTTL",
    "ROLE",
    "SCAN",
    "SENTINEL",
    "SLOWLOG GET",
    "SMEMBERS",
    "TIME",
    "TYPE",
    "XINFO CONSUMERS",
    "XINFO GROUPS",
    "XLEN",
    "XPENDING",
    "XRANGE",
    "ZCARD",
    "ZCOUNT",
    "ZRANGE",
    "ZRANGEBYSCORE",
];

/// Words that change something, or end somebody, wherever they stand in SQL.
const SQL: &[&str] = &[
    "alter",
    "analyze",
    "call",
    "cluster",
    "copy",
    "create",
    "delete",
    "drop",
    "grant",
    "insert",
    "listen",
    "lock",
    "merge",
    "nextval",
    "notify",
    "pg_advisory_lock",
    "pg_cancel_backend",
    "pg_reload_conf",
    "pg_stat_reset",
    "pg_stat_statements_reset",
    "pg_switch_wal",
    "pg_terminate_backend",
    "refresh",
    "reindex",
    "revoke",
    "set_config",
    "setval",
    "truncate",
    "update",
    "vacuum",
];

/// Programs that are started outside the lab.
const PROGRAMS: &[&str] = &["ssh", "varnishadm", "varnishstat"];

/// Where SQL is put together while it runs: of names that were checked, or for one locked-down session.
const BUILT_SQL: &[&str] = &[
    "actions/rollback_prepared.rs",
    "explain/ask.rs",
    "sources/postgres/statements.rs",
    "sources/sql_queue/source.rs",
];

/// Files of the model that hold what servers say.
const SAID: &[&str] = &[
    "app_server",
    "broker",
    "cache",
    "cache_clients",
    "database",
    "host",
    "lock",
    "pooler",
    "proxy",
    "queue",
    "statements",
    "upkeep",
];

fn looking() -> Vec<Code> {
    let mut all = rust_files("src");
    all.retain(|code| LOOKS.iter().any(|folder| code.path.starts_with(&format!("{folder}/"))));
    all
}

/// The text in quotes behind every `before`, and what follows it.
fn quoted<'t>(text: &'t str, before: &str) -> Vec<(&'t str, &'t str)> {
    let rests = text.split(before).skip(1).map(str::trim_start);
    rests.filter_map(|rest| rest.strip_prefix('"')?.split_once('"')).collect()
}

/// The commands of a Redis that a text sends: `CLIENT LIST` of `.cmd("CLIENT").arg("LIST")`.
fn redis_commands(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (command, rest) in quoted(text, "cmd(") {
        let second = rest.strip_prefix(')').map(str::trim_start).unwrap_or_default();
        let second = quoted(second.split(';').next().unwrap_or_default(), ".arg(");
        let upper = |word: &str| word.chars().all(|c| c.is_ascii_uppercase());
        match second.first().filter(|(word, _)| upper(word)) {
            Some((word, _)) if !REDIS.contains(&command) => all.push(format!("{command} {word}")),
            _ => all.push(command.to_owned()),
        }
    }
    // A table of commands that are tried.
    for maker in ["right(&[", "of_a_key(&["] {
        for (command, rest) in quoted(text, maker) {
            let second = quoted(rest.split(']').next().unwrap_or_default(), ",");
            match second.first() {
                Some((word, _)) if !REDIS.contains(&command) => all.push(format!("{command} {word}")),
                _ => all.push(command.to_owned()),
            }
        }
    }
    all
}

#[test]
fn no_command_that_changes_a_redis_is_sent_outside_actions() {
    let mut seen = Vec::new();
    for code in looking() {
        for command in redis_commands(&code.text) {
            assert!(REDIS.contains(&command.as_str()), "src/{} sends {command}", code.path);
            seen.push(command);
        }
    }
    let unsent: Vec<_> = REDIS.iter().filter(|known| !seen.iter().any(|it| it == *known)).collect();
    assert!(unsent.is_empty(), "nobody sends these any more: {unsent:?}");
}

#[test]
fn a_changing_redis_command_would_be_seen() {
    let text = "script.cmd(\"UNLINK\").arg(key);\nredis::cmd(\"CLIENT\").arg(\"KILL\");\n right(&[\"CONFIG\", \"SET\"], )";
    assert_eq!(redis_commands(text), ["UNLINK", "CLIENT KILL", "CONFIG SET"]);
    assert_eq!(
        redis_commands("x.cmd(\"GET\").arg(\"AB\")\n.cmd(\"XINFO\")\n.arg(\"GROUPS\")"),
        ["GET", "XINFO GROUPS"]
    );
}

/// The words of SQL, without comments and without what stands in quotes.
fn sql_words(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let bare: Vec<_> = code.join("\n").split('\'').step_by(2).map(str::to_lowercase).collect();
    let word = |c: char| !(c.is_alphanumeric() || c == '_');
    bare.iter().flat_map(|part| part.split(word)).map(str::to_owned).collect()
}

#[test]
fn no_sql_that_changes_anything_stands_outside_actions() {
    assert!(sql_words("select 1; -- x\nDELETE from t where a = 'drop'").contains(&"delete".to_owned()));
    assert!(!sql_words("select 'update' -- insert").iter().any(|word| SQL.contains(&word.as_str())));
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in LOOKS {
        files(&root().join("src").join(folder), &mut paths);
    }
    paths.retain(|path| path.extension().is_some_and(|it| it == "sql"));
    assert!(paths.len() > 20, "where is the SQL? {paths:?}");
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("it is text");
        let wrong: Vec<_> = sql_words(&text).into_iter().filter(|it| SQL.contains(&it.as_str())).collect();
        assert!(wrong.is_empty(), "{} says {wrong:?}", path.display());
    }
}

#[test]
fn sql_is_put_together_only_where_it_is_known() {
    let built = rust_files("src").into_iter().filter(|code| code.text.contains("AssertSqlSafe("));
    let mut built: Vec<String> = built.map(|code| code.path).collect();
    built.sort();
    assert_eq!(built, BUILT_SQL);
}

#[test]
fn proxies_and_caches_are_only_asked() {
    let mut asked = 0;
    for code in looking() {
        for (words, _) in quoted(&code.text, "door.ask(") {
            asked += 1;
            assert!(words.split(';').all(|it| it.starts_with("show ")), "src/{} says {words}", code.path);
        }
        for (word, _) in quoted(&code.text, "dial.ask(&[") {
            asked += 1;
            let reads = ["backend.list", "banner", "debug.listen_address", "param.show", "vcl.show"];
            assert!(reads.contains(&word), "src/{} says {word}", code.path);
        }
        for (words, _) in quoted(&code.text, "ask_stats(") {
            asked += 1;
            assert!(words.starts_with("stats"), "src/{} says {words}", code.path);
        }
        for method in [".post(", ".patch(", ".delete(", "Method::"] {
            assert!(!code.text.contains(method), "src/{} does more than GET: {method}", code.path);
        }
        let orders = code.path != "dial/memcached.rs" && code.text.contains(".order(");
        assert!(!orders, "src/{} orders a memcached about", code.path);
    }
    assert!(asked > 8, "only {asked} questions were found");
}

#[test]
fn no_program_is_started_but_those_that_are_named_and_no_signal_is_sent_to_others() {
    let mut started = Vec::new();
    for code in rust_files("src").iter().filter(|code| !code.path.starts_with("lab/")) {
        let named = quoted(&code.text, "Command::new(");
        let all = code.text.matches("Command::new(").count();
        assert_eq!(named.len(), all, "src/{} starts a program whose name is not written there", code.path);
        for (program, _) in named {
            assert!(PROGRAMS.contains(&program), "src/{} starts {program}", code.path);
            started.push(program.to_owned());
        }
        for signal in ["kill_process(", "kill_process_group(", "Signal::KILL", "Signal::TERM"] {
            assert!(!code.text.contains(signal), "src/{}: {signal}", code.path);
        }
    }
    started.sort();
    assert_eq!(started, PROGRAMS);
}

#[test]
fn what_a_server_says_is_kept_cleaned() {
    let mut fields = 0;
    for code in rust_files("src/model") {
        if !SAID.iter().any(|name| code.path == format!("{name}.rs")) {
            continue;
        }
        for line in code.text.lines().map(str::trim) {
            let Some((name, kind)) = line.strip_prefix("pub ").and_then(|it| it.split_once(": ")) else {
                continue;
            };
            fields += usize::from(kind.contains("SafeText"));
            let bare = kind.contains("String") || kind.contains("Box<str>");
            assert!(!bare || name.contains('('), "src/model/{}: {name} is {kind}", code.path);
        }
    }
    assert!(fields > 60, "only {fields} fields of text were found");
}

#[tokio::test]
async fn under_read_only_nobody_is_even_asked_who_is_meant() {
    let door = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    door.set_nonblocking(true).expect("it can be asked without waiting");
    let url = format!("postgres://warroom@{}/postgres", door.local_addr().expect("bound"));
    let id: TargetId = "primary".parse().expect("legal");
    let mut config =
        Config { targets: vec![TargetSpec::new(id.clone(), "postgres").with_url(&url)], ..Config::default() };
    (config.environment.read_only, config.environment.read_only_from) = (true, "--read-only");
    let hands = Hands::new(Arc::new(config), Err("there is no journal".into()), || Timestamp::from_micros(0));
    hands.stand_ready().await;
    let intent = Intent::TerminateBackend { target: id.clone(), backends: Vec::new() };
    let refusals = [
        hands.root_blocker(&id).await.expect_err("refused"),
        hands.backends(&id, &[7]).await.expect_err("refused"),
        hands.prepared(&id, "gid").await.expect_err("refused"),
        hands.plan(&intent).await.expect_err("refused"),
    ];
    for refusal in refusals {
        assert_eq!(refusal.says.as_str(), "read-only: --read-only says so");
    }
    assert!(door.accept().is_err(), "it was connected to all the same");
}
