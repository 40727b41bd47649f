//! Why a server would not plan a statement, and what would mend it.

use sqlx::Error;
use sqlx::postgres::PgDatabaseError;

use super::ask::Around;
use super::find::Found;
use super::guard;
use crate::model::{Refusal, SafeText};

/// A refusal by its code.
pub(super) fn of(error: &Error, found: &Found, around: &Around) -> Refusal {
    let Error::Database(refusal) = error else {
        return Refusal::failed(&format!("the connection failed amid planning: {error}"));
    };
    let refusal = refusal.downcast_ref::<PgDatabaseError>();
    let said = SafeText::new(refusal.message());
    let path = &around.search_path;
    let says = match refusal.code() {
        // A syntax error has a place; "several commands" has none.
        "42601" if refusal.position().is_none() => {
            "there are several statements in its text: only a single one is ever planned".into()
        }
        "42601" => format!(
            "{said}: the text as it is kept cannot be parsed again (with a value taken out of `interval '1 day'` or \
             `extract(year from …)` none can); give the statement by --query-file"
        ),
        "42725" | "42P18" | "42804" => format!(
            "{said}: without its values the types cannot be told; give the statement with casts ($1::int) by \
             --query-file"
        ),
        "42P02" => format!("{said}: parameters are written $1, $2 …"),
        "42P14" => "it makes a table of what it selects: that has no plan of its own here".into(),
        "42501" => rights(said.as_str(), found, around),
        "42P01" | "3F000" | "42883" | "42704" if !around.barred.is_empty() => format!(
            "{said}, or it is in a schema that may not be looked into: grant usage on schema {} to {}",
            around.barred.join(", "),
            around.own_role
        ),
        "42P01" | "3F000" | "42883" | "42704" | "42703" => format!(
            "{said}: names were looked up in {path}; the session may have set another search_path \
             (--search-path gives it), or it is a temporary table of its own"
        ),
        "55P03" => {
            "a lock is in the way: a table it names is locked against everybody, or somebody waits to \
                    lock it so; it was not waited for"
                .into()
        }
        "57014" => "planning took longer than 2 s and was given up".into(),
        "25006" | "55000" => format!("{said}: it writes or locks rows, and this is a standby or read-only"),
        code => format!("{said} ({code})"),
    };
    Refusal::refused(&says)
}

/// What is lacking, and what grants it.
fn rights(said: &str, found: &Found, around: &Around) -> String {
    let own = &around.own_role;
    // The server says it in its own language; in English the last word is the name.
    let named = |what: &str| said.strip_prefix(&format!("permission denied for {what} "));
    if let Some(schema) = named("schema") {
        return format!("{said}: grant usage on schema {schema} to {own}");
    }
    let taken = around.role.as_deref();
    if let Some(role) = taken {
        return format!("{said}: {role} itself may not run it");
    }
    let member = found
        .role
        .as_deref()
        .map_or_else(String::new, |user| format!("; or grant {user} to {own}: it then plans as {user}"));
    if guard::writes(&found.text) {
        return format!("{said}: a plan needs the rights of the statement, and this one writes{member}");
    }
    let table = named("table").or_else(|| named("view")).map_or_else(
        || format!("grant select on what it reads to {own}"),
        |table| format!("grant select on {table} to {own}"),
    );
    format!(
        "{said}: a plan needs the rights of the statement: {table}, or (14+) grant pg_read_all_data to {own}{member}"
    )
}
