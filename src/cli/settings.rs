//! `warroom config show` and `warroom config check`.

use std::fmt::Write as _;

use serde_json::json;

use super::args::{Form, Global};
use super::end::{End, Fail, say};
use super::run::{config, quiet_config};
use crate::model::words::many;
use crate::shell::world;

/// Prints every setting in effect, as a file would write it, with where it came from.
pub(super) fn show(global: &Global, form: Form) -> Result<End, Fail> {
    let config = config(global)?;
    let settings = config.settings();
    if form.json {
        return End::json(&json!({ "file": config.path, "settings": settings }), 0);
    }
    let mut out = match &config.path {
        Some(path) => format!("# {}\n", path.display()),
        None => "# no config file: found on this machine\n".to_owned(),
    };
    let mut table = "";
    for setting in &settings {
        // Targets and namespaces share a table's name: each begins anew at its first key.
        let begins = setting.table.starts_with("[[") && matches!(setting.key.as_str(), "id" | "name");
        if setting.table != table || begins {
            table = &setting.table;
            writeln!(out, "\n{table}").ok();
        }
        let pair = format!("{} = {}", setting.key, setting.value);
        writeln!(out, "{pair:<44} # {}", setting.origin).ok();
    }
    Ok(End::new(out, 0))
}

/// Says whether the config is right; what is wrong goes to stderr with exit code 78.
pub(super) fn check(global: &Global, form: Form) -> Result<End, Fail> {
    match quiet_config(global) {
        Ok(config) => {
            let broken = config
                .targets
                .iter()
                .filter_map(|it| it.broken.as_ref().map(|why| format!("{}: {why}", it.id)));
            let keys = world::wrong_key(&config);
            let warnings: Vec<String> = broken.chain(config.notices.iter().cloned()).chain(keys).collect();
            if form.json {
                return End::json(
                    &json!({ "ok": true, "file": config.path, "warnings": warnings, "errors": [] }),
                    0,
                );
            }
            for warning in &warnings {
                say(&format!("warroom: {warning}"));
            }
            let file =
                config.path.as_ref().map_or("no config file".into(), |path| path.display().to_string());
            let targets = many(config.targets.len() as u64, "target", "targets");
            Ok(End::new(format!("{file}: right; {targets}\n"), 0))
        }
        Err(fail) if form.json => {
            let errors: Vec<&str> = fail.says.lines().collect();
            End::json(&json!({ "ok": false, "errors": errors }), fail.code)
        }
        Err(fail) => Err(fail),
    }
}
