//! The console's tables into the model.

use std::collections::HashMap;

use crate::model::{Missing, Pool, PooledClient, PooledCounters, PooledDatabase, PoolerSample, SafeText};

/// Its own console, which is no pool.
const CONSOLE: &str = "pgbouncer";

/// One answer of the console.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Option<String>>>,
}

/// One row of it.
#[derive(Clone, Copy)]
struct Line<'a> {
    columns: &'a [String],
    values: &'a [Option<String>],
}

impl Shown {
    fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.rows.iter().map(|values| Line { columns: &self.columns, values })
    }

    /// The value of a `key`, where it is a table of keys and values.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.lines().find(|line| line.text("key") == key).and_then(|line| line.get("value"))
    }

    /// The first value of all.
    pub(super) fn first(&self) -> &str {
        self.rows.first().and_then(|row| row.first()?.as_deref()).unwrap_or_default()
    }
}

impl<'a> Line<'a> {
    fn get(self, name: &str) -> Option<&'a str> {
        let at = self.columns.iter().position(|column| column == name)?;
        self.values.get(at)?.as_deref()
    }

    fn text(self, name: &str) -> &'a str {
        self.get(name).unwrap_or_default()
    }

    fn number(self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    fn count(self, name: &str) -> u64 {
        self.number(name).unwrap_or(0)
    }

    fn sum(self, names: [&str; 3]) -> u64 {
        names.into_iter().map(|name| self.count(name)).fold(0, u64::saturating_add)
    }
}

/// Pools by `SHOW POOLS` and `SHOW DATABASES`.
pub(super) fn pools(pools: &Shown, databases: &Shown) -> Vec<Pool> {
    let known: HashMap<&str, Line<'_>> = databases.lines().map(|line| (line.text("name"), line)).collect();
    let pool = |line: Line<'_>| {
        let (name, user) = (line.text("database"), line.text("user"));
        let database = known.get(name);
        let number = |column| database.and_then(|line| line.number(column));
        let server = database.map_or_else(String::new, |line| {
            format!("{}:{}/{}", line.text("host"), line.text("port"), line.text("database"))
        });
        Pool {
            name: SafeText::new(&format!("{name}.{user}")),
            database: SafeText::new(name),
            user: SafeText::new(user),
            mode: SafeText::new(line.text("pool_mode")),
            clients_active: line.count("cl_active"),
            clients_waiting: line.count("cl_waiting"),
            // One that is being cancelled is not free.
            servers_active: line.sum(["sv_active", "sv_active_cancel", "sv_being_canceled"]),
            servers_idle: line.sum(["sv_idle", "sv_used", "sv_tested"]),
            servers_login: line.count("sv_login"),
            longest_wait: line.count("maxwait") as f64 + line.count("maxwait_us") as f64 / 1e6,
            size: number("pool_size"),
            // Renamed in 1.24.
            reserve: number("reserve_pool").or_else(|| number("reserve_pool_size")),
            server: SafeText::new(&server),
            paused: number("paused") == Some(1),
        }
    };
    pools.lines().filter(|line| line.text("database") != CONSOLE).map(pool).collect()
}

/// Databases by `SHOW DATABASES`, with what `SHOW STATS` counts of them.
pub(super) fn databases(databases: &Shown, stats: &Shown) -> Vec<PooledDatabase> {
    let counted: HashMap<&str, Line<'_>> = stats.lines().map(|line| (line.text("database"), line)).collect();
    let counters = |line: &Line<'_>| {
        Some(PooledCounters {
            transactions: line.number("total_xact_count")?,
            queries: line.number("total_query_count")?,
            query_micros: line.number("total_query_time")?,
            wait_micros: line.number("total_wait_time")?,
        })
    };
    let database = |line: Line<'_>| PooledDatabase {
        name: SafeText::new(line.text("name")),
        paused: line.number("paused") == Some(1),
        disabled: line.number("disabled") == Some(1),
        counters: counted.get(line.text("name")).and_then(counters),
    };
    databases.lines().filter(|line| line.text("name") != CONSOLE).map(database).collect()
}

/// Who holds which server process: `SHOW SERVERS` points at the rows of `SHOW CLIENTS`.
pub(super) fn links(servers: &Shown, clients: &Shown) -> Vec<PooledClient> {
    let by_address: HashMap<&str, Line<'_>> = clients.lines().map(|line| (line.text("ptr"), line)).collect();
    let link = |line: Line<'_>| {
        let pid = line.get("remote_pid")?.parse().ok().filter(|pid| *pid > 0)?;
        let client = by_address.get(line.get("link").filter(|link| !link.is_empty())?)?;
        // A client on the socket has no port worth telling.
        let address = match (client.text("addr"), client.text("port")) {
            ("unix", _) => "the pooler's socket".to_owned(),
            (addr, port) => format!("{addr}:{port}"),
        };
        Some(PooledClient {
            pid,
            database: SafeText::new(line.text("database")),
            user: SafeText::new(line.text("user")),
            application_name: SafeText::new(client.text("application_name")),
            address: SafeText::new(&address),
        })
    };
    servers.lines().filter_map(link).collect()
}

/// A sample without its links.
pub(super) fn sample(
    version: &SafeText,
    max_clients: Option<u64>,
    pools: Vec<Pool>,
    databases: Vec<PooledDatabase>,
) -> PoolerSample {
    let clients = pools.iter().flat_map(|pool| [pool.clients_active, pool.clients_waiting]);
    let clients = clients.fold(0, u64::saturating_add);
    let missing = if pools.iter().any(|pool| pool.size.is_none()) {
        vec![Missing::new("pool sizes", "the console does not tell them for every database")]
    } else {
        Vec::new()
    };
    PoolerSample {
        version: version.clone(),
        clients,
        max_clients,
        pools,
        databases,
        links: Vec::new(),
        missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    fn shown(columns: &str, rows: &[&str]) -> Shown {
        let row = |row: &&str| row.split(',').map(|value| Some(value.to_owned())).collect();
        Shown {
            columns: columns.split(',').map(String::from).collect(),
            rows: rows.iter().map(row).collect(),
        }
    }

    #[test]
    fn columns_are_found_by_name_and_the_console_is_no_pool() {
        let told = pools(
            &shown(
                "database,user,cl_active,cl_waiting,sv_active,sv_idle,sv_used,maxwait,maxwait_us,pool_mode",
                &["app,web,2,5,2,0,0,1,924932,transaction", "pgbouncer,pgbouncer,1,0,0,0,0,0,0,statement"],
            ),
            &shown("name,host,port,database,pool_size,paused", &["app,10.0.0.5,5432,shop,2,0"]),
        );
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].name.as_str(), told[0].clients_waiting, told[0].size), ("app.web", 5, Some(2)));
        assert!((told[0].longest_wait - 1.924_932).abs() < 1e-9);
        assert_eq!((told[0].used(), told[0].server.as_str()), (Some(1.0), "10.0.0.5:5432/shop"));
        let told = sample(&"PgBouncer 1.18.0".into(), Some(100), told, Vec::new());
        assert_eq!((told.clients, told.missing.len()), (7, 0));
    }

    #[test]
    fn a_database_is_told_with_what_was_done_in_it() {
        let told = databases(
            &shown("name,paused,disabled", &["app,1,0", "old,0,1", "pgbouncer,0,0"]),
            &shown(
                "database,total_xact_count,total_query_count,total_query_time,total_wait_time",
                &["app,4,9,1500,2500000"],
            ),
        );
        assert_eq!(told.len(), 2);
        assert!(told[0].paused && !told[0].disabled && told[1].disabled);
        let counters = told[0].counters.expect("told");
        assert_eq!((counters.queries, counters.wait_micros), (9, 2_500_000));
        assert_eq!(told[1].counters, None);
    }

    #[test]
    fn a_server_process_is_tied_to_the_client_that_holds_it() {
        let told = links(
            &shown(
                "user,database,state,ptr,link,remote_pid",
                &["web,app,active,0x1,0xa,4211", "web,app,idle,0x2,,4212", "web,app,active,0x3,0xz,4213"],
            ),
            &shown("ptr,addr,port,application_name", &["0xa,10.0.0.14,51234,web.3", "0xb,unix,6432,psql"]),
        );
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((told[0].pid, told[0].address.as_str()), (4211, "10.0.0.14:51234"));
        assert_eq!(told[0].application_name.as_str(), "web.3");
    }

    #[test]
    fn torn_tables_are_read() {
        let text = "name,database,user,cl_active,cl_waiting,sv_active,sv_active_cancel,sv_idle,sv_used,maxwait,pool_size,paused\n\
                    app,app,web,2,5,2,1,3,4,1,2,0\napp,app,job,2,5,2,1,3,4,1,2,0\npgbouncer,pgbouncer,a,1,0,0,0,0,0,0,0,0";
        each_torn_text(text, |torn| {
            let mut lines = torn.lines();
            let columns = lines.next().unwrap_or_default();
            let all = shown(columns, &lines.collect::<Vec<_>>());
            drop((databases(&all, &all), links(&all, &all), all.first().len(), all.value("name")));
            sample(&"PgBouncer 1.18.0".into(), Some(100), pools(&all, &all), Vec::new());
        });
    }
}
