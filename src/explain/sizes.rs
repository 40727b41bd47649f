//! What the catalog says of the tables a plan reads, and what of it deserves a look.

use std::collections::HashMap;

use sqlx::postgres::PgConnection;
use sqlx::{Error, Row as _};

use crate::dial::as_sent;
use crate::model::words::count;
use crate::model::{ExplainStep, Explanation, SafeText, table_size};

const SIZES: &str = as_sent(include_str!("sql/sizes_130.sql"));
/// Bytes from which reading a whole table is told: below, an index spares little.
const BIG: f64 = 8.0 * 1024.0 * 1024.0;
/// Share of a table's rows up to which reading all of it was mostly in vain.
const FEW: f64 = 0.1;
/// Runs of a step from which they are told, when they cost at least [`MUCH`] of the whole.
const OFTEN: f64 = 100.0;
/// See [`OFTEN`].
const MUCH: f64 = 0.2;

/// Rows (below zero where the table was never analyzed) and bytes.
type Size = (f64, f64);

/// Adds to each step what deserves a look.
pub(super) async fn weigh(connection: &mut PgConnection, explanation: &mut Explanation) -> Result<(), Error> {
    let mut names: Vec<(String, String)> =
        explanation.steps.iter().filter_map(|step| step.relation.as_ref()).map(parts).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Ok(());
    }
    let (schemas, tables): (Vec<_>, Vec<_>) = names.into_iter().unzip();
    let rows = sqlx::query(SIZES).bind(schemas).bind(tables).fetch_all(connection).await?;
    let sizes = rows
        .iter()
        .map(|row| Ok(((row.try_get(0)?, row.try_get(1)?), (row.try_get(2)?, row.try_get(3)?))))
        .collect::<Result<HashMap<(String, String), Size>, Error>>()?;
    for step in &mut explanation.steps {
        let size = step.relation.as_ref().and_then(|name| sizes.get(&parts(name))).copied();
        step.beware = beware(step, size).iter().map(|text| SafeText::new(text)).collect();
    }
    Ok(())
}

fn parts(name: &SafeText) -> (String, String) {
    let (schema, table) = name.as_str().split_once('.').unwrap_or(("public", name.as_str()));
    (schema.to_owned(), table.to_owned())
}

fn beware(step: &ExplainStep, size: Option<Size>) -> Vec<String> {
    let mut out = Vec::new();
    let seq = step.what.as_str().contains("Seq Scan");
    let name = step.relation.as_ref().map_or("", SafeText::as_str);
    if let Some((rows, bytes)) = size {
        if rows < 0.0 {
            out.push(format!(
                "{name} was never analyzed: the figures are guesses; analyze {name} mends that"
            ));
        } else if seq && bytes >= BIG {
            let filtered = step.details.iter().any(|(label, _)| label == "filter");
            let all = table_size(rows, bytes);
            out.push(if filtered && step.rows <= rows * FEW {
                format!(
                    "reads all of {name} ({all}) to keep about {}: no index was worth using",
                    whole(step.rows)
                )
            } else {
                format!("reads all of {name} ({all})")
            });
        }
    }
    if step.loops >= OFTEN && step.share >= MUCH {
        out.push(format!("is run about {} times, once for each row of the other side", whole(step.loops)));
    }
    out
}

fn whole(number: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of rows")]
    count(number.clamp(0.0, 1e15).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_big_or_frequent_is_told() {
        let mut step = ExplainStep {
            what: SafeText::new("Seq Scan on users"),
            relation: Some(SafeText::new("users")),
            rows: 10.0,
            loops: 1.0,
            share: 0.9,
            details: vec![("filter".to_owned(), SafeText::new("(email = $1)"))],
            ..ExplainStep::default()
        };
        assert_eq!(beware(&step, Some((100.0, 8192.0))), Vec::<String>::new());
        assert_eq!(
            beware(&step, Some((2e6, 4e8))),
            ["reads all of users (about 2 000 000 rows, 381 MB) to keep about 10: no index was worth using"]
        );
        assert!(beware(&step, Some((-1.0, 0.0)))[0].contains("never analyzed"));
        step.what = SafeText::new("Index Scan using users_pkey on users");
        step.loops = 20_000.0;
        assert_eq!(
            beware(&step, Some((2e6, 4e8))),
            ["is run about 20 000 times, once for each row of the other side"]
        );
    }
}
