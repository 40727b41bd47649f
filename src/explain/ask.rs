//! Has the server plan a statement without running it.
//!
//! The text goes as `PREPARE … AS <text>` by the extended protocol. That is the one place where text of
//! others stands in SQL, and the server itself guards it twice: by this protocol a message holds one
//! command, so a second statement is an error; and `PREPARE` takes only what has a plan. `EXPLAIN
//! EXECUTE` without `ANALYZE` then plans it, the values left unknown.

use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Error, Row as _};

use super::find::{Found, Lost, find};
use super::{guard, parse, refusal, sizes};
use crate::config::TargetSpec;
use crate::dial::{PostgresDial, as_sent};
use crate::model::{ExplainAsk, Explanation, PollErrorKind, Refusal, SafeText};

const ROLE: &str = as_sent(include_str!("sql/role_130.sql"));
const BARRED: &str = as_sent(include_str!("sql/barred_130.sql"));
const SETTINGS: &str = as_sent(include_str!("sql/settings_130.sql"));

/// Explains one statement of a PostgreSQL target; the caller owns the timeout.
///
/// # Errors
/// Why it cannot or must not be explained, and what would mend that.
pub async fn explain(spec: &TargetSpec, ask: &ExplainAsk) -> Result<Explanation, Refusal> {
    let dial = PostgresDial::new(spec).map_err(|why| Refusal::failed(&why))?;
    let failed = |error: &Error| Refusal::failed(&dial.error(error).to_string());
    let mut connection = connect(&dial).await?;
    let found = find(&mut connection, &ask.of).await.map_err(|lost| match lost {
        Lost::Server(error) => failed(&error),
        Lost::Refused(refusal) => refusal,
    })?;
    guard::check(&found.text)?;
    let mut around = surroundings(&mut connection, &found, ask).await.map_err(|error| failed(&error))?;
    if found.database.as_ref().is_some_and(|database| *database != around.connected_to) {
        connection.close().await.ok();
        let database = found.database.as_deref().unwrap_or_default();
        connection = dial.in_database(database).connect().await.map_err(|error| {
            Refusal::refused(&match error.kind {
                PollErrorKind::Rights => {
                    let own = &around.own_role;
                    format!("it runs in {database}: grant connect on database {database} to {own}")
                }
                _ => format!("it runs in {database}: {error}"),
            })
        })?;
    }
    // Nothing is left behind: the transaction is rolled back whatever comes of it, and the session, with
    // the prepared statement that outlives the transaction, ends after it.
    let mut look = connection.begin_with("begin read only").await.map_err(|error| failed(&error))?;
    lay_down(&mut look, &mut around).await.map_err(|error| failed(&error))?;
    let (parameters, json) =
        planned(&mut look, &found.text).await.map_err(|error| refusal::of(&error, &found, &around))?;
    look.rollback().await.map_err(|error| failed(&error))?;
    let mut explanation = parse::parse(&json).map_err(|why| Refusal::failed(&why))?;
    sizes::weigh(&mut connection, &mut explanation).await.map_err(|error| failed(&error))?;
    connection.close().await.ok();
    tell(&mut explanation, found, around, parameters);
    Ok(explanation)
}

async fn connect(dial: &PostgresDial) -> Result<PgConnection, Refusal> {
    dial.connect().await.map_err(|error| Refusal::failed(&error.to_string()))
}

/// As whom, and with which settings, it is planned.
pub(super) struct Around {
    /// The role warroom logs in as.
    pub(super) own_role: String,
    /// The role that is taken on.
    pub(super) role: Option<String>,
    pub(super) search_path: String,
    /// Schemas of it that may not be looked into.
    pub(super) barred: Vec<String>,
    /// Whether the path was told, not found.
    told: bool,
    connected_to: String,
    /// What the planner goes by, where role or database have it set.
    settings: Vec<(String, String)>,
}

/// Reads what the session's role and database have set. What it has set by itself cannot be seen.
async fn surroundings(
    connection: &mut PgConnection,
    found: &Found,
    ask: &ExplainAsk,
) -> Result<Around, Error> {
    let row = sqlx::query(ROLE).bind(found.role.as_deref()).fetch_one(&mut *connection).await?;
    let own_role: String = row.try_get(0)?;
    let may_take: bool = row.try_get(1)?;
    let builtin: Option<String> = row.try_get(2)?;
    let connected_to: String = row.try_get(3)?;
    let role = found.role.as_ref().unwrap_or(&own_role);
    let database = found.database.as_ref().unwrap_or(&connected_to);
    let rows = sqlx::query(SETTINGS).bind(database).bind(role).fetch_all(&mut *connection).await?;
    let mut settings = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<Vec<(String, String)>, Error>>()?;
    let at = settings.iter().position(|(name, _)| name == "search_path");
    let set = at.map(|at| settings.swap_remove(at).1);
    let path = ask.search_path.clone().or(set).or(builtin).unwrap_or_default();
    let path = path.replace("\"$user\"", "$user").replace("$user", &quoted(role));
    Ok(Around {
        role: found.role.clone().filter(|_| may_take),
        own_role,
        search_path: path,
        barred: Vec::new(),
        told: ask.search_path.is_some(),
        connected_to,
        settings,
    })
}

/// A name as it stands in a list of names.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Lays down how it is planned, for the rest of the transaction.
async fn lay_down(look: &mut PgConnection, around: &mut Around) -> Result<(), Error> {
    let role = around.role.as_ref().unwrap_or(&around.own_role);
    let schemas: Vec<&str> =
        around.search_path.split(',').map(|name| name.trim().trim_matches('"')).collect();
    around.barred = sqlx::query_scalar(BARRED).bind(schemas).bind(role).fetch_all(&mut *look).await?;
    let mut settings = vec![
        // Planning takes locks that readers or writers take. It must not queue for them: who waits for
        // a lock is waited for by others.
        ("lock_timeout", "20ms"),
        // The planner runs functions that are declared immutable.
        ("statement_timeout", "2s"),
        ("plan_cache_mode", "force_generic_plan"),
        ("search_path", around.search_path.as_str()),
    ];
    settings.extend(around.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    settings.extend(around.role.as_deref().map(|role| ("role", role)));
    let (names, values): (Vec<&str>, Vec<&str>) = settings.into_iter().unzip();
    sqlx::query(
        "select set_config(s.name, s.value, true) from unnest($1::text[], $2::text[]) s (name, value)",
    )
    .bind(names)
    .bind(values)
    .execute(&mut *look)
    .await?;
    Ok(())
}

/// The statement's plan as the server tells it, and the number of its unknown values. Names are written
/// out in full: the session's `search_path` holds by now.
async fn planned(look: &mut PgConnection, text: &str) -> Result<(u32, Value), Error> {
    let prepare = format!("prepare warroom_explains as {text}");
    sqlx::query(AssertSqlSafe(prepare)).persistent(false).execute(&mut *look).await?;
    let count: i32 = sqlx::query_scalar(
        "select pg_catalog.cardinality(p.parameter_types) from pg_catalog.pg_prepared_statements p \
         where p.name = 'warroom_explains'",
    )
    .persistent(false)
    .fetch_one(&mut *look)
    .await?;
    let count = u32::try_from(count).unwrap_or(0);
    let values = vec!["null"; count as usize].join(", ");
    let values = if values.is_empty() { values } else { format!("({values})") };
    let explain = format!("explain (format json, verbose) execute warroom_explains{values}");
    let row = sqlx::query(AssertSqlSafe(explain)).persistent(false).fetch_one(&mut *look).await?;
    let value = row.try_get_raw(0)?;
    let json = serde_json::from_slice(value.as_bytes().map_err(Error::Decode)?);
    Ok((count, json.map_err(|error| Error::Decode(error.into()))?))
}

/// What must be known to read it right.
fn tell(explanation: &mut Explanation, found: Found, around: Around, parameters: u32) {
    let role = around.role.as_ref().unwrap_or(&around.own_role);
    let mut notes = found.notes;
    notes.push(if parameters > 0 {
        "planned now, without its values: with them the server may choose otherwise. Nothing was run".into()
    } else {
        "planned now: the running one may have been planned otherwise. Nothing was run".into()
    });
    if let Some(user) = found.role.filter(|user| user != role) {
        notes.push(format!(
            "planned as {role}, not as {user}: row security and settings of the session may make another plan"
        ));
    }
    let source = if around.told { "as told" } else { "what the session has set itself cannot be seen" };
    notes.push(format!("names looked up in {} ({source})", around.search_path));
    explanation.who = found.who;
    explanation.pid = found.pid;
    explanation.query_id = found.query_id;
    explanation.query = SafeText::new(&found.text);
    explanation.database = SafeText::new(&found.database.unwrap_or(around.connected_to));
    explanation.role = SafeText::new(role);
    explanation.search_path = SafeText::new(&around.search_path);
    explanation.parameters = parameters;
    explanation.notes = notes.iter().map(|note| SafeText::new(note)).collect();
}
