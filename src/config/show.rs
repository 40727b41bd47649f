//! The effective settings as a list, each with where it came from; no secret in it.

use serde::Serialize;

use super::{Config, ConfirmRule, TargetSpec, Thresholds, say_duration};
use crate::model::Resource;

/// One setting in effect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The table it stands in, as a file would write it: `[environment]`, `[[target]]`; empty at the top.
    pub table: String,
    /// Its key.
    pub key: String,
    /// Its value, as a file would write it; passwords left out.
    pub value: String,
    /// `line 12`, `built in`, `WARROOM_READ_ONLY`.
    pub origin: String,
}

/// The list, being made.
struct Listing<'a> {
    config: &'a Config,
    table: String,
    /// Dotted path of the table, by which origins are known.
    path: String,
    settings: Vec<Setting>,
}

impl Listing<'_> {
    fn table(&mut self, table: &str, path: &str) {
        (self.table, self.path) = (table.to_owned(), path.to_owned());
    }

    fn add(&mut self, key: &str, value: String) {
        let dotted = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        let origin = self.config.origins.get(&dotted).map_or("built in", String::as_str).to_owned();
        self.add_from(key, value, origin);
    }

    fn add_from(&mut self, key: &str, value: String, origin: String) {
        self.settings.push(Setting { table: self.table.clone(), key: key.to_owned(), value, origin });
    }
}

impl Config {
    /// Every setting in effect, in the order of a file.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let mut list =
            Listing { config: self, table: String::new(), path: String::new(), settings: Vec::new() };
        list.add("theme", quoted(self.theme.as_deref().unwrap_or("terminal")));
        list.table("[environment]", "environment");
        list.add("name", quoted(&self.environment.name));
        list.add(
            "confirm",
            quoted(if self.environment.confirm == ConfirmRule::Key { "key" } else { "name" }),
        );
        match (self.environment.read_only_from, self.origins.get("environment.read_only")) {
            ("the default", _) | ("the config file", Some(_)) => {
                list.add("read_only", self.environment.read_only.to_string());
            }
            (from, _) => list.add_from("read_only", self.environment.read_only.to_string(), from.to_owned()),
        }
        for target in &self.targets {
            one_target(&mut list, target);
        }
        for resource in Resource::ALL {
            limits(&mut list, "thresholds", "thresholds", resource, &self.thresholds, true);
        }
        list.table("[keys]", "keys");
        for (command, chord) in &self.keys {
            list.add(command, quoted(chord));
        }
        list.table("[notify]", "notify");
        list.add("bell", self.notify.bell.to_string());
        list.add("title", self.notify.title.to_string());
        list.add("desktop", self.notify.desktop.to_string());
        if let Some(osc) = self.notify.osc {
            list.add("osc", osc.to_string());
        }
        if let Some(path) = &self.journal {
            list.table("[journal]", "journal");
            list.add("path", quoted(&path.display().to_string()));
        }
        if let Some(lab) = &self.lab {
            list.table("[lab]", "lab");
            list.add("dir", quoted(&lab.dir.display().to_string()));
        }
        list.settings
    }
}

fn one_target(list: &mut Listing<'_>, target: &TargetSpec) {
    let path = format!("target.{}", target.id);
    list.table("[[target]]", &path);
    let found = list.config.path.is_none().then(|| "found here".to_owned());
    for (key, value) in [("id", target.id.as_str()), ("kind", target.kind.as_str())] {
        match &found {
            Some(found) => list.add_from(key, quoted(value), found.clone()),
            None => list.add(key, quoted(value)),
        }
    }
    let from = |list: &Listing<'_>| {
        let of =
            |key: &str| list.config.origins.get(&format!("{path}.{key}")).map(|line| (key.to_owned(), line));
        ["url", "url_env", "url_file"].into_iter().find_map(of).map(|(key, line)| match key.as_str() {
            "url" => line.clone(),
            key => format!("{line}, by {key}"),
        })
    };
    let origin = from(list);
    if let Some(url) = &target.url {
        let shown = url.without_credentials();
        let hidden = if shown == url.expose() { "" } else { "; user, password and options hidden" };
        let origin = origin.or(found).unwrap_or_else(|| "built in".into());
        list.add_from("url", quoted(&shown), format!("{origin}{hidden}"));
    } else if let Some(why) = &target.broken {
        list.add_from("url", quoted(""), format!("{}: {why}", origin.unwrap_or_default()));
    }
    if !target.sentinels.is_empty() {
        let each: Vec<_> = target.sentinels.iter().map(|url| quoted(&url.without_credentials())).collect();
        list.add("sentinel", format!("[{}]", each.join(", ")));
    }
    if let Some(master) = &target.master {
        list.add("master", quoted(master));
    }
    list.add("every", quoted(&say_duration(target.every)));
    list.add("timeout", quoted(&say_duration(target.timeout)));
    if target.kind == "postgres" {
        list.add("slow_after", quoted(&say_duration(target.slow_after)));
    }
    if let Some(pattern) = &target.applications {
        list.add("application_pattern", quoted(&pattern.to_string()));
    }
    if let Some(prefix) = &target.prefix {
        list.add("prefix", quoted(prefix));
    }
    if let Some(schema) = &target.schema {
        list.add("schema", quoted(schema));
    }
    if let Some(statement) = &target.statement {
        list.add("statement", quoted(statement));
    }
    if let Some(preset) = &target.preset {
        list.add("preset", quoted(preset));
    }
    if !target.metrics.is_empty() {
        let each: Vec<_> = target.metrics.iter().map(|(key, it)| format!("{key} = {}", quoted(it))).collect();
        list.add("metrics", format!("{{ {} }}", each.join(", ")));
    }
    if let Some(master) = &target.master_socket {
        list.add("master_socket", quoted(master));
    }
    if let Some(ring) = &target.ring {
        list.add("ring", quoted(ring));
    }
    if !target.sockets.is_empty() {
        let each: Vec<_> = target
            .sockets
            .iter()
            .map(|(name, path)| format!("{} = {}", quoted(name), quoted(path)))
            .collect();
        list.add("sockets", format!("{{ {} }}", each.join(", ")));
    }
    if let Some(log) = &target.log {
        list.add("log", quoted(&log.display().to_string()));
    }
    let more = [
        ("listens", target.listens.clone()),
        ("status_path", target.status_path.clone()),
        ("token", target.token.as_ref().map(|_| "(hidden)".to_owned())),
        ("instance", target.instance.clone()),
        ("secret_file", target.secret_file.as_ref().map(|path| path.display().to_string())),
    ];
    for (key, value) in more {
        if let Some(value) = value {
            list.add(key, quoted(&value));
        }
    }
    if !target.queues.is_empty() {
        let queues: Vec<_> = target.queues.iter().map(|queue| quoted(queue)).collect();
        list.add("queues", format!("[{}]", queues.join(", ")));
    }
    let files = [("tls_ca", &target.tls.ca), ("tls_cert", &target.tls.cert), ("tls_key", &target.tls.key)];
    for (key, path) in files.into_iter().filter_map(|(key, path)| Some((key, path.as_ref()?))) {
        list.add(key, quoted(&path.display().to_string()));
    }
    if let Some(path) = &target.ssh_config {
        list.add("ssh_config", quoted(&path.display().to_string()));
    }
    for resource in Resource::ALL {
        limits(list, "target.thresholds", &format!("{path}.thresholds"), resource, &target.thresholds, false);
    }
    for namespace in &target.namespaces {
        list.table("[[target.namespace]]", &format!("{path}.namespace.{}", namespace.name));
        list.add_from("name", quoted(&namespace.name), "the file".into());
        list.add("prefix", quoted(&namespace.prefix));
        list.add("protected", namespace.protected.to_string());
        if let Some(key) = &namespace.version_key {
            list.add("version_key", quoted(key));
        }
    }
}

/// The limits of one resource: those set, or all that are in effect.
fn limits(list: &mut Listing<'_>, table: &str, path: &str, resource: Resource, set: &Thresholds, all: bool) {
    let Some(limits) = set.get(resource).or_else(|| all.then(|| Thresholds::built_in(resource))) else {
        return;
    };
    list.table(&format!("[{table}.\"{resource}\"]"), &format!("{path}.{resource}"));
    list.add("warning", limits.warning.to_string());
    list.add("critical", limits.critical.to_string());
    list.add("leave", limits.leave.to_string());
    if resource == Resource::PostgresConnections {
        list.add("logins", limits.logins.to_string());
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
