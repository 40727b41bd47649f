//! What a PostgreSQL target lacks, and the statement that mends it.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tokio::time::Instant;

use crate::config::TargetSpec;
use crate::dial::{PostgresDial, as_sent};
use crate::model::{DoctorLine, PollError, Severity};
use crate::sources::BoxFuture;

const DOCTOR: &str = as_sent(include_str!("sql/doctor_130.sql"));

/// Logs in anew, reads the role's rights and tells what they are good for.
pub(super) fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let dial = PostgresDial::new(spec);
    Box::pin(async move {
        let dial = match dial {
            Ok(dial) => dial,
            Err(why) => return vec![DoctorLine::lacking(Severity::Critical, &why, "mend the target's url")],
        };
        match examine(&dial).await {
            Ok(lines) => lines,
            Err(error) => {
                let severity = if error.kind.is_ours() { Severity::Unknown } else { Severity::Critical };
                vec![DoctorLine::lacking(severity, &error.to_string(), "")]
            }
        }
    })
}

async fn examine(dial: &PostgresDial) -> Result<Vec<DoctorLine>, PollError> {
    let began = Instant::now();
    let mut connection = dial.connect().await?;
    let took = began.elapsed();
    let row = sqlx::query(DOCTOR).fetch_one(&mut connection).await.map_err(|error| dial.error(&error))?;
    let reach = format!("answers at {}; logged in within {:.0} ms", dial.place(), took.as_secs_f64() * 1e3);
    let mut lines = vec![DoctorLine::fine(&reach)];
    lines.extend(rights(&row).map_err(|error| dial.error(&error))?);
    Ok(lines)
}

fn rights(row: &PgRow) -> Result<Vec<DoctorLine>, sqlx::Error> {
    let version: String = row.try_get(0)?;
    let standby: bool = row.try_get(1)?;
    let superuser: bool = row.try_get(2)?;
    let role: String = row.try_get(6)?;
    let kind = if standby { "a standby" } else { "a primary" };
    let mut lines = vec![DoctorLine::fine(&format!("PostgreSQL {version}, {kind}; logged in as {role}"))];
    lines.push(if row.try_get(3)? {
        DoctorLine::fine("sees every session (pg_monitor)")
    } else {
        DoctorLine::lacking(
            Severity::Warning,
            "cannot see state, wait and statement of other roles' sessions",
            &format!("grant pg_monitor to {role}"),
        )
    });
    lines.push(if superuser {
        DoctorLine::lacking(
            Severity::Ok,
            "may end every session: it is a superuser, which is more than warroom needs",
            "create role warroom login in role pg_monitor, pg_signal_backend",
        )
    } else if row.try_get(4)? {
        DoctorLine::fine(
            "may end and cancel other roles' sessions (pg_signal_backend), a superuser's excepted",
        )
    } else {
        DoctorLine::lacking(
            Severity::Warning,
            "cannot end or cancel other roles' sessions",
            &format!("grant pg_signal_backend to {role}"),
        )
    });
    if row.try_get::<Option<bool>, _>(5)? == Some(false) {
        lines.push(DoctorLine::lacking(
            Severity::Ok,
            "a server out of connections refuses a new login (a console that is open keeps its session)",
            &format!("grant pg_use_reserved_connections to {role}, and set reserved_connections"),
        ));
    }
    match (row.try_get(8)?, row.try_get(9)?) {
        (true, true) if row.try_get::<Option<String>, _>(10)?.is_some() => lines.push(DoctorLine::lacking(
            Severity::Ok,
            "cannot tell what statements cost: pg_stat_statements is in a schema that the role may not enter",
            &row.try_get::<String, _>(10)?,
        )),
        (true, true) => lines.push(DoctorLine::fine("tells what statements cost (pg_stat_statements)")),
        (false, true) => lines.push(DoctorLine::lacking(
            Severity::Ok,
            "cannot tell what statements cost: pg_stat_statements is not installed in this database",
            "create extension pg_stat_statements",
        )),
        (_, false) => lines.push(DoctorLine::lacking(
            Severity::Ok,
            "cannot tell what statements cost: the server does not load pg_stat_statements",
            &preload(row.try_get::<Option<String>, _>(16)?.as_deref()),
        )),
    }
    lines.push(explains(row, &role)?);
    if !row.try_get::<bool, _>(7)? {
        lines.push(DoctorLine::lacking(
            Severity::Critical,
            "track_activities is off: nothing can be seen of what sessions do",
            "alter system set track_activities = on; select pg_reload_conf()",
        ));
    }
    Ok(lines)
}

/// How the server comes to load it beside what it loads `now`, each in quotes; `None` where that is not told. One
/// string for all of them would be taken for one library, and the server would not start again.
fn preload(now: Option<&str>) -> String {
    let first = match now {
        None => "put pg_stat_statements into shared_preload_libraries, beside what stands there".to_owned(),
        Some("") => "alter system set shared_preload_libraries = 'pg_stat_statements'".to_owned(),
        Some(now) => format!("alter system set shared_preload_libraries = {now}, 'pg_stat_statements'"),
    };
    format!("{first}; restart the server; create extension if not exists pg_stat_statements")
}

/// Whether the planner may look at what applications read: a plan needs the rights of its statement.
fn explains(row: &PgRow, role: &str) -> Result<DoctorLine, sqlx::Error> {
    let (all, readable): (i64, i64) = (row.try_get(11)?, row.try_get(12)?);
    let (has_role, grants): (bool, Option<String>) = (row.try_get(13)?, row.try_get(14)?);
    let database: String = row.try_get(15)?;
    if all == readable {
        return Ok(DoctorLine::fine(&format!(
            "explains what reads any table or view of database {database} ({all}); what writes only as a member \
             of its role"
        )));
    }
    let what = format!(
        "explains what reads {readable} of {all} tables and views of database {database}: a plan needs the rights \
         of its statement"
    );
    let mend =
        if has_role { format!("grant pg_read_all_data to {role}") } else { grants.unwrap_or_default() };
    Ok(DoctorLine::lacking(Severity::Ok, &what, &mend))
}
