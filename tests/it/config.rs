//! The config files under tests/configs: the good are read to the last value, each bad one is refused in these very words.

#![expect(clippy::expect_used, reason = "a fixture that cannot be read fails the test")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use warroom::config::{
    Config, ConfigError, ConfirmRule, Flags, Known, Secret, Surroundings, discover_in, find, load, read,
};
use warroom::model::Resource;

const KINDS: &[&str] =
    &["host", "postgres", "redis", "haproxy", "rq", "celery", "sidekiq", "redis_list", "redis_stream", "sql"];

fn known() -> Known<'static> {
    Known { kinds: KINDS, commands: &["quit", "terminate-backend"], themes: &["terminal", "mono"] }
}

fn folder(which: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs").join(which)
}

fn read_named(which: &str, name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(folder(which).join(name)).expect("the file is there");
    read(Path::new(name), &text, &known(), env)
}

fn no_env(_: &str) -> Option<String> {
    None
}

#[test]
fn every_wrong_file_is_refused_with_line_key_why_and_what_is_right() {
    let mut names: Vec<String> = fs::read_dir(folder("invalid"))
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("utf-8"))
        .collect();
    names.sort();
    assert!(names.len() >= 20, "only {} wrong files", names.len());
    let mut told = String::new();
    for name in &names {
        let error = read_named("invalid", name, &no_env).expect_err(name);
        assert!(!error.to_string().contains("s3cret"), "{name} tells a password");
        writeln!(told, "{error}").expect("text");
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_file_of_twenty_thousand_targets_is_read_while_one_waits() {
    let one = |n: u32| format!("[[target]]\nid = \"r{n}\"\nkind = \"redis\"\nurl = \"redis://10.0.0.1\"\n\n");
    let text = (0..20_000).map(one).collect::<String>();
    let config = read(Path::new("many.toml"), &text, &known(), &no_env).expect("it is right");
    let last = config.targets.last().expect("there are some");
    assert_eq!((last.id.to_string().as_str(), last.line), ("r19999", Some(5 * 19_999 + 1)));
}

#[test]
fn a_full_file_is_read_to_the_last_value() {
    let env = |name: &str| (name == "APP_DATABASE").then(|| "postgres://10.0.0.9/app".to_owned());
    let config = read_named("valid", "everything.toml", &env).expect("it is right");
    assert_eq!(
        (config.environment.name.as_str(), config.environment.confirm),
        ("production", ConfirmRule::Name)
    );
    assert!(config.environment.read_only);
    let primary = &config.targets[1];
    assert_eq!(primary.url.as_ref().map(Secret::expose), Some("postgres://warroom:s3cret@10.0.0.5/app"));
    assert_eq!((primary.every, primary.timeout), (Duration::from_millis(500), Duration::from_secs(3)));
    assert_eq!((primary.slow_after, primary.line), (Duration::from_millis(1500), Some(14)));
    assert_eq!(config.targets[2].endpoint(), "postgres://10.0.0.9/app");
    assert_eq!(config.targets[4].namespaces.len(), 2);
    assert!(config.targets[4].namespaces[1].protected);
    assert_eq!(config.targets[5].queues, ["default", "mail"]);
    let limits = config.thresholds.get(Resource::PostgresLocks).expect("set");
    assert_eq!((limits.warning, limits.critical, limits.leave), (1.0, 8.0, 0.8));
    let own = config.targets[0].thresholds.get(Resource::HostCpu).expect("set");
    assert_eq!((own.warning, own.critical), (0.5, 0.9));
    assert_eq!((config.notify.bell, config.notify.osc), (false, Some(9)));
    assert_eq!(config.keys, [("quit".to_owned(), "q".to_owned())]);
    assert_eq!(config.journal.as_deref(), Some(Path::new("shared/journal.jsonl")));
    assert_eq!(config.origins.get("target.primary.every").map(String::as_str), Some("line 18"));
}

#[test]
fn a_statement_is_kept_without_its_end_and_asked_less_often() {
    let config = read_named("valid", "sql.toml", &no_env).expect("it is right");
    let target = &config.targets[0];
    let statement = target.statement.as_deref();
    assert_eq!(statement, Some("select queue, count(*) as depth from jobs group by queue"));
    assert_eq!((target.schema.as_deref(), target.every), (Some("jobs"), Duration::from_secs(5)));
}

#[test]
fn sentinels_have_ports_and_their_passwords_stay_hidden() {
    let config = read_named("valid", "sentinel.toml", &no_env).expect("it is right");
    let urls: Vec<_> = config.targets[0].sentinels.iter().map(Secret::expose).collect();
    assert_eq!(urls, ["redis://10.0.0.6:26379", "rediss://eye:s3cret@10.0.0.7:26380"]);
    assert_eq!(config.targets[0].endpoint(), "shop, by 2 Sentinels");
    assert_eq!(config.targets[1].master.as_deref(), Some("shop"));
    let shown = config.settings();
    let list = shown.iter().find(|it| it.key == "sentinel").expect("listed");
    assert_eq!(list.value, r#"["redis://10.0.0.6:26379", "rediss://10.0.0.7:26380"]"#);
    assert_eq!(list.origin, "line 4");
}

#[test]
fn a_pattern_of_application_names_is_kept_as_written() {
    let config = read_named("valid", "applications.toml", &no_env).expect("it is right");
    let pattern = config.targets[0].applications.as_ref().expect("a pattern");
    assert_eq!(pattern.to_string(), "shop-{kind}-*");
    assert_eq!(pattern.kind("shop-web-7"), Some("web"));
}

#[test]
fn an_address_that_is_missing_at_run_time_breaks_its_target_and_no_other() {
    let config = read_named("valid", "everything.toml", &no_env).expect("the others stand");
    let broken: Vec<_> = config.targets.iter().filter_map(|it| it.broken.as_deref()).collect();
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert_eq!(broken[0], "$APP_DATABASE (url_env) is not set");
    assert!(broken[1].starts_with("no-such-file (url_file) cannot be read"), "{}", broken[1]);
    assert!(config.targets[2].url.is_none());
}

#[test]
fn the_flag_beats_the_environment_which_beats_the_file() {
    let flags = |read_only| Flags { config: Some(folder("valid").join("everything.toml")), read_only };
    let read_only = |read_only, value: Option<&str>| {
        let env = |name: &str| (name == "WARROOM_READ_ONLY").then(|| value.map(str::to_owned)).flatten();
        let environment = load(&flags(read_only), &known(), &env).expect("right").environment;
        (environment.read_only, environment.read_only_from)
    };
    assert_eq!(read_only(false, None), (true, "the config file"));
    assert_eq!(read_only(false, Some("0")), (false, "WARROOM_READ_ONLY"));
    assert_eq!(read_only(true, Some("0")), (true, "--read-only"));
    let env = |name: &str| (name == "WARROOM_READ_ONLY").then(|| "perhaps".to_owned());
    let error = load(&flags(false), &known(), &env).expect_err("a wish for safety must not be guessed");
    assert_eq!(
        error.to_string(),
        "the environment: WARROOM_READ_ONLY: \"perhaps\" is neither 1 (yes) nor 0 (no)"
    );
}

#[test]
fn the_file_is_looked_for_in_this_order() {
    let dir = tempfile::tempdir().expect("folder");
    let write = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(&path, "").expect("file");
        path
    };
    let (flag, by_env, xdg) = (write("flag.toml"), write("env.toml"), write("xdg/warroom/warroom.toml"));
    let xdg_home = dir.path().join("xdg").display().to_string();
    let env = |name: &str| match name {
        "WARROOM_CONFIG" => Some(by_env.display().to_string()),
        "XDG_CONFIG_HOME" => Some(xdg_home.clone()),
        _ => None,
    };
    let xdg_only = |name: &str| (name == "XDG_CONFIG_HOME").then(|| xdg_home.clone());
    let named = Flags { config: Some(flag.clone()), read_only: false };
    assert_eq!(find(&named, &env).expect("there"), Some(flag));
    assert_eq!(find(&Flags::default(), &env).expect("there"), Some(by_env.clone()));
    assert_eq!(find(&Flags::default(), &xdg_only).expect("there"), Some(xdg));
    fs::remove_file(&by_env).expect("removed");
    let error =
        find(&Flags::default(), &env).expect_err("a named file that is gone is told, not passed over");
    assert!(error.to_string().ends_with("there is no such file ($WARROOM_CONFIG names it)"), "{error}");
}

#[test]
fn a_password_that_others_can_read_is_warned_of() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("warroom.toml");
    fs::write(&path, "[[target]]\nid = \"db\"\nkind = \"postgres\"\nurl = \"postgres://u:s3cret@h/db\"\n")
        .expect("file");
    let notices = |mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
        load(&Flags { config: Some(path.clone()), read_only: false }, &known(), &no_env)
            .expect("right")
            .notices
    };
    assert_eq!(notices(0o600), Vec::<String>::new());
    let told = notices(0o644);
    assert!(told.len() == 1 && told[0].contains("chmod 600") && !told[0].contains("s3cret"), "{told:?}");
}

#[test]
fn without_a_config_it_finds_what_listens_here() {
    let dir = tempfile::tempdir().expect("folder");
    let bind = |name: &str| UnixListener::bind(dir.path().join(name)).expect("socket");
    let _sockets = [bind(".s.PGSQL.5433"), bind(".s.PGSQL.5432"), bind("admin.sock")];
    fs::write(dir.path().join(".s.PGSQL.5432.lock"), "").expect("lock file");
    let redis = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let around = Surroundings {
        hostname: "web 1 (old)".into(),
        postgres_folders: vec![dir.path().to_owned()],
        haproxy_sockets: vec![dir.path().join("gone.sock"), dir.path().join("admin.sock")],
        redis: redis.local_addr().expect("address"),
    };
    let config = discover_in(&around, KINDS, &no_env);
    let ids: Vec<_> = config.targets.iter().map(|target| target.id.to_string()).collect();
    assert_eq!(ids, ["host", "postgres", "postgres-5433", "redis", "haproxy"]);
    assert!(config.targets[1].url.as_ref().expect("url").expose().ends_with("&port=5432"));
    assert!(
        config.notices[0]
            .starts_with("no config file (`warroom init` writes one): watching this machine, PostgreSQL at "),
        "{:?}",
        config.notices
    );

    let libpq = |name: &str| (name == "PGHOST").then(|| "10.0.0.5".to_owned());
    let config = discover_in(&around, &["postgres"], &libpq);
    assert_eq!(config.targets.len(), 1);
    assert!(config.targets[0].url.is_none(), "the libpq environment is left to the driver");
}
