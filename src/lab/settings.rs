//! The config that watches a lab.

use std::fs;
use std::path::{Path, PathBuf};

use super::LabError;
use super::state::State;

/// Where the config of the lab in `dir` is.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("warroom.toml")
}

/// Writes the config for the parts that are up.
pub(super) fn write(dir: &Path, state: &State) -> Result<(), LabError> {
    fs::write(path(dir), text(dir, state)).map_err(LabError::file("write", path(dir)))
}

fn text(dir: &Path, state: &State) -> String {
    let mut text = format!(
        "# Written by `warroom lab up`; goes with the lab.\n[environment]\nname = \"lab\"\n\n[lab]\ndir = {}\n\n\
         [[target]]\nid = \"bastion\"\nkind = \"host\"\n",
        quoted(&dir.to_string_lossy())
    );
    let mut target = |id: &str, kind: &str, url: String, more: &str| {
        let url = quoted(&url);
        let target = format!("\n[[target]]\nid = \"{id}\"\nkind = \"{kind}\"\nurl = {url}\n{more}");
        text.push_str(&target);
    };
    if let Some(url) = state.postgres_url("warroom") {
        target("primary", "postgres", url, "");
    }
    if let Some(url) = state.cache_url() {
        target("cache", "redis", url, NAMESPACES);
    }
    if let Some(url) = state.jobs_url() {
        target("jobs", "rq", url, "");
    }
    if let Some(doors) = &state.doors {
        target("edge", "haproxy", format!("unix:{}", doors.socket.display()), "");
    }
    text
}

const NAMESPACES: &str = "[[target.namespace]]\nname = \"templates\"\nprefix = \"cache:templates:\"\n\
                          [[target.namespace]]\nname = \"sessions\"\nprefix = \"sess:\"\nprotected = true\n";

/// A TOML basic string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
