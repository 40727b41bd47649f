//! `warroom explain`: how the server would run a statement.

use std::io::Read;

use serde_json::{Value, json};

use super::args::{ExplainArgs, Global};
use super::end::{End, Fail};
use super::run::{config, runtime};
use super::signal;
use crate::model::{ExplainAsk, ExplainOf, Explanation, OutcomeKind, Refusal};
use crate::shell::explain::explain;

/// Bytes of a statement that are read from a file.
const MOST: u64 = 1 << 20;

/// Explains one statement; nothing is run.
pub(super) fn run(global: &Global, args: &ExplainArgs) -> Result<End, Fail> {
    let config = config(global)?;
    let ask =
        ExplainAsk { target: args.target.clone(), of: meant(args)?, search_path: args.search_path.clone() };
    let runtime = runtime()?;
    let explained = runtime.block_on(async {
        tokio::select! {
            explained = explain(&config, &ask) => Ok(explained),
            code = signal::ended() => Err(Fail::new(code, "ended before the server answered")),
        }
    });
    runtime.shutdown_background();
    ended(explained?, args)
}

fn meant(args: &ExplainArgs) -> Result<ExplainOf, Fail> {
    if let Some(pid) = args.pid {
        return Ok(ExplainOf::Session { pid, started: None, query_start: None });
    }
    if let Some(query_id) = args.queryid {
        return Ok(ExplainOf::Statistics { query_id, user: None, database: args.database.clone() });
    }
    let Some(path) = &args.query_file else {
        return Err(Fail::new(super::end::USAGE, "name a statement: --pid, --queryid or --query-file"));
    };
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(MOST).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MOST).read_to_string(&mut text))
    };
    read.map_err(|err| Fail::new(1, &format!("cannot read {}: {err}", path.display())))?;
    Ok(ExplainOf::Text { text: text.trim().to_owned(), database: args.database.clone() })
}

fn ended(explained: Result<Explanation, Refusal>, args: &ExplainArgs) -> Result<End, Fail> {
    let target = args.target.as_str();
    match explained {
        Ok(explanation) if args.form.json => {
            let mut out = serde_json::to_value(&explanation).map_err(|err| Fail::new(1, &err.to_string()))?;
            if let Value::Object(fields) = &mut out {
                fields.insert("outcome".into(), OutcomeKind::Done.word().into());
                fields.insert("target".into(), target.into());
            }
            End::json(&out, 0)
        }
        Ok(explanation) => Ok(End::new(explanation.text(), 0)),
        Err(refusal) if args.form.json => {
            let out = json!({ "outcome": refusal.kind.word(), "target": target, "says": refusal.says });
            End::json(&out, refusal.kind.exit_code())
        }
        Err(refusal) => {
            let word = refusal.kind.word().replace('_', " ");
            Err(Fail::new(refusal.kind.exit_code(), &format!("{word}: {}", refusal.says)))
        }
    }
}
