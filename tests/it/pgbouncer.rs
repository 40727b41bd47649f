//! A real PgBouncer in front of a real PostgreSQL: a pool that runs dry, who is to blame, what is not told.
#![expect(clippy::unwrap_used, clippy::panic, reason = "only tests call these")]

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection, Row as _};
use warroom::config::TargetSpec;
use warroom::lab::postgres::Postgres;
use warroom::lab::{Folder, Process, free_port};
use warroom::model::{DoctorLine, Intent, PoolerSample, Reading, Sample, Severity, TargetId};
use warroom::shell::clock;
use warroom::shell::world::info;
use warroom::sources::{KINDS, Source};
use warroom::store::Store;

use crate::incidents::Watcher;
use crate::postgres::{Client, accounts, server, spec};

struct Pooler {
    port: u16,
    folder: Folder,
    _process: Process,
}

impl Pooler {
    /// In front of `server`: its database `app` as `shop`, two connections a pool.
    fn start(server: &Postgres) -> Self {
        let folder = Folder::temporary("pgbouncer").unwrap();
        let port = free_port().unwrap();
        let direct = server.url("app");
        let behind = direct.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap();
        let (config, users) = (folder.path().join("b.ini"), folder.path().join("users"));
        let text = format!(
            "[databases]\nshop = host=127.0.0.1 port={behind} dbname=app pool_size=2\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\nstats_users = warroom\nadmin_users = dba\npool_mode = transaction\n\
             max_client_conn = 50\nignore_startup_parameters = extra_float_digits\n",
            users.display()
        );
        std::fs::write(&users, "\"app\" \"\"\n\"warroom\" \"\"\n\"dba\" \"\"\n").unwrap();
        std::fs::write(&config, text).unwrap();
        for file in [&config, &users] {
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        let installed = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];
        let program = installed.into_iter().find(|it| std::path::Path::new(it).exists());
        let Some(program) = program else { panic!("no pgbouncer here: it is one of scripts/packages test") };
        let mut command = Command::new(program);
        // It does not run as root.
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        let log = folder.path().join("log");
        let mut process = Process::start("pgbouncer", command.arg(&config), &log, Signal::INT).unwrap();
        process.wait_ready(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()).unwrap();
        Self { port, folder, _process: process }
    }

    fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    fn spec(&self, role: &str) -> TargetSpec {
        let url = self.url(role, "whatever");
        TargetSpec::new(TargetId::parse("pool").unwrap(), "pgbouncer").with_url(&url)
    }

    /// A config that watches the pooler and the server behind it.
    fn config(&self, server: &Postgres) -> PathBuf {
        let config = self.folder.path().join("w.toml");
        let text = format!(
            "[[target]]\nid = \"primary\"\nkind = \"postgres\"\nurl = \"{}\"\n\
             [[target]]\nid = \"pool\"\nkind = \"pgbouncer\"\nurl = \"{}\"\n",
            server.url("warroom"),
            self.url("warroom", "pgbouncer")
        );
        std::fs::write(&config, text).unwrap();
        config
    }

    /// A client that has begun a transaction, and the server process it got.
    async fn holder(&self, name: &str) -> (PgConnection, i32) {
        let url = format!("{}?application_name={name}", self.url("app", "shop"));
        let mut client = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("begin").execute(&mut client).await.unwrap();
        let row = sqlx::raw_sql("select pg_backend_pid()").fetch_one(&mut client).await.unwrap();
        // By the simple protocol it is a text.
        let pid: String = row.try_get_unchecked(0).unwrap();
        let pid = pid.parse().unwrap();
        (client, pid)
    }

    /// A client that wants one statement run.
    fn wants(&self) -> tokio::task::JoinHandle<()> {
        let url = self.url("app", "shop");
        tokio::spawn(async move {
            let mut client = PgConnection::connect(&url).await.unwrap();
            sqlx::raw_sql("select 1").execute(&mut client).await.unwrap();
        })
    }
}

fn source(spec: &TargetSpec) -> Box<dyn Source> {
    let kind = KINDS.iter().find(|kind| kind.name == spec.kind).unwrap();
    (kind.build)(spec).unwrap()
}

async fn reading(source: &mut Box<dyn Source>) -> Reading {
    source.poll().await.remove(0)
}

fn sample(reading: &Reading) -> &PoolerSample {
    match &reading.sample {
        Ok(Sample::Pooler(sample)) => sample,
        other => panic!("no pooler: {other:?}"),
    }
}

async fn doctor(spec: &TargetSpec) -> Vec<DoctorLine> {
    let kind = KINDS.iter().find(|kind| kind.name == "pgbouncer").unwrap();
    (kind.doctor)(spec).await
}

#[tokio::test]
async fn a_pool_that_runs_dry_names_the_session_to_end_and_is_well_again() {
    let server = server(&[]);
    let pooler = Pooler::start(&server);
    let mut watcher = Watcher::on(&pooler.config(&server));
    let (mut first, pid) = pooler.holder("web.1").await;
    let (mut second, other) = pooler.holder("web.2").await;
    let waiting: Vec<_> = (0..3).map(|_| pooler.wants()).collect();
    watcher
        .until("the dry pool", |judgement| {
            judgement.findings.iter().any(|finding| {
                let ends = finding.remedy.as_ref().and_then(|remedy| remedy.intent.as_ref());
                let right = matches!(ends, Some(Intent::TerminateBackend { target, backends })
                    if target.as_str() == "primary" && [pid, other].contains(&backends[0].pid));
                let says = &finding.says;
                finding.rule == "pool_wait"
                    && finding.target.as_str() == "pool/shop.app"
                    && finding.severity >= Severity::Warning
                    && right
                    && says.contains("3 clients wait up to")
                    && says.contains("all 2 are taken, 2 idle in transaction: web.")
            })
        })
        .await;
    for client in [&mut first, &mut second] {
        sqlx::raw_sql("rollback").execute(client).await.unwrap();
    }
    for one in waiting {
        one.await.unwrap();
    }
    watcher
        .until("a pool that is well", |judgement| {
            !judgement.findings.iter().any(|finding| finding.rule == "pool_wait")
        })
        .await;
}

#[tokio::test]
async fn a_root_blocker_behind_the_pooler_is_named_by_where_its_client_is() {
    let server = server(&[]);
    accounts(&server).await;
    let pooler = Pooler::start(&server);
    let (mut holder, _) = pooler.holder("web.3").await;
    sqlx::raw_sql("update accounts set n = 1 where id = 1").execute(&mut holder).await.unwrap();
    let waiting = Client::new(&server, "direct").await.spawn("update accounts set n = 2 where id = 1");
    let mut watcher = Watcher::on(&pooler.config(&server));
    watcher
        .until("the client behind the blocker", |judgement| {
            judgement.findings.iter().any(|finding| {
                let says = &finding.says;
                finding.rule == "root_blocker"
                    && says.contains("its client is 127.0.0.1:")
                    && says.ends_with(", through pool")
            })
        })
        .await;
    sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
    waiting.end().await.1.unwrap();
}

#[tokio::test]
async fn a_session_behind_the_pooler_is_told_with_its_client() {
    let server = server(&[]);
    let pooler = Pooler::start(&server);
    let (_client, pid) = pooler.holder("web.7").await;
    let specs = [spec(&server), pooler.spec("warroom")];
    let mut store = Store::new(specs.iter().map(info));
    for spec in &specs {
        let reading = reading(&mut source(spec)).await;
        store.take(clock::now(), reading);
    }
    let now = clock::now();
    let (_, database) = store.databases(now).next().unwrap();
    let backend = database.backends.iter().find(|one| one.key.pid == pid).unwrap();
    let (target, client) = store.client_behind(now, backend).expect("it is not told");
    assert_eq!((target.info.id.as_str(), client.application_name.as_str()), ("pool", "web.7"));
    assert!(client.address.as_str().starts_with("127.0.0.1:"), "{client:?}");
    let direct = database.backends.iter().find(|one| one.key.pid != pid && one.is_client());
    assert!(direct.is_none_or(|one| store.client_behind(now, one).is_none()));
}

#[tokio::test]
async fn pools_are_read_by_a_stats_user_and_what_is_lacking_is_said() {
    let server = server(&[]);
    let pooler = Pooler::start(&server);
    let mut polled = source(&pooler.spec("warroom"));
    let (_client, _) = pooler.holder("web.1").await;
    for _ in 0..3 {
        let reading = reading(&mut polled).await;
        let sample = sample(&reading);
        assert!(sample.version.as_str().starts_with("PgBouncer 1."), "{sample:?}");
        assert_eq!((sample.clients, sample.max_clients, sample.links.len()), (1, Some(50), 1));
        let pool = &sample.pools[0];
        assert_eq!((pool.name.as_str(), pool.mode.as_str()), ("shop.app", "transaction"));
        assert_eq!((pool.servers_active, pool.size, pool.clients_waiting), (1, Some(2), 0));
        assert!(sample.missing.is_empty() && pool.server.as_str().ends_with("/app"), "{sample:?}");
    }
    let lines = doctor(&pooler.spec("warroom")).await;
    assert!(lines.iter().all(|line| line.ok == Severity::Ok) && lines.len() >= 2, "{lines:?}");

    let lines = doctor(&pooler.spec("app")).await;
    assert!(lines[0].what.as_str().contains("name app in stats_users"), "{lines:?}");
    let database =
        TargetSpec::new(TargetId::parse("pool").unwrap(), "pgbouncer").with_url(&server.url("warroom"));
    let lines = doctor(&database).await;
    assert!(lines[0].what.as_str().contains("is no PgBouncer"), "{lines:?}");
}

/// Says one word of an operator's at the console.
async fn say(pooler: &Pooler, word: &'static str) {
    let options: sqlx::postgres::PgConnectOptions = pooler.url("dba", "pgbouncer").parse().unwrap();
    let options = options.extra_float_digits(None);
    let mut console = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql(word).execute(&mut console).await.unwrap();
}

#[tokio::test]
async fn what_an_operator_closed_is_told_as_closed_and_what_was_done_is_counted() {
    let server = server(&[]);
    let pooler = Pooler::start(&server);
    let mut polled = source(&pooler.spec("warroom"));
    let counted = async |polled: &mut Box<dyn Source>| {
        let reading = reading(polled).await;
        let database = sample(&reading).databases.iter().find(|one| one.name.as_str() == "shop").unwrap();
        database.counters.unwrap_or_default()
    };
    assert_eq!(counted(&mut polled).await.queries, 0);
    for _ in 0..5 {
        pooler.wants().await.unwrap();
    }
    let began = tokio::time::Instant::now();
    loop {
        let now = counted(&mut polled).await;
        if now.queries >= 5 && now.transactions >= 5 && now.query_micros > 0 {
            break;
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(30), "{now:?}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }

    let mut watcher = Watcher::on(&pooler.config(&server));
    say(&pooler, "disable shop").await;
    let refused = PgConnection::connect(&pooler.url("app", "shop")).await;
    assert!(refused.is_err());
    watcher
        .until("a disabled database", |judgement| {
            judgement.findings.iter().any(|finding| {
                finding.rule == "pool_door"
                    && finding.target.as_str() == "pool/shop"
                    && finding.says.contains("shop is disabled at the pooler")
                    && finding.remedy.as_ref().is_some_and(|it| it.says.contains("ENABLE shop"))
            })
        })
        .await;
    say(&pooler, "enable shop").await;
    say(&pooler, "pause shop").await;
    let calm = |judgement: &warroom::detect::Judgement, words: &str| {
        judgement.findings.iter().all(|finding| finding.target.as_str() != "pool/shop")
            && judgement
                .resources
                .iter()
                .any(|it| it.target.as_str() == "pool/shop" && it.says.contains(words))
    };
    watcher.until("a paused database", |judgement| calm(judgement, "shop is paused at the pooler")).await;
    let waiting = pooler.wants();
    watcher
        .until("a client of a paused pool", |judgement| {
            judgement.findings.iter().any(|finding| {
                finding.rule == "pool_wait" && finding.says.ends_with("for a connection: the pool is paused")
            })
        })
        .await;
    say(&pooler, "resume shop").await;
    waiting.await.unwrap();
    watcher.until("an open database", |judgement| calm(judgement, "shop is open")).await;
}
