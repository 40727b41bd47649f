//! One `[[target]]` of the file, checked against what its kind can use.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use super::address::address;
use super::document::{Document, Section};
use super::error::instead;
use super::haproxy_keys::haproxy_keys;
use super::load::Known;
use super::metrics_map::metrics;
use super::sentinel::sentinels;
use super::statement::one_select;
use super::thresholds_file::thresholds;
use super::tls::tls_files;
use super::token::token;
use super::{ApplicationPattern, TargetSpec};
use crate::model::{Namespace, QUEUE_KINDS, SQL_QUEUE_KINDS, TargetId};

/// What one kind takes beside the keys that every target has.
pub(super) struct Takes {
    /// Keys of its own.
    keys: &'static [&'static str],
    /// How its URL may begin; empty when it takes none.
    pub(super) schemes: &'static [&'static str],
    /// Whether it finds its address by itself when none is given.
    pub(super) finds_itself: bool,
}

const COMMON: &[&str] = &["id", "kind", "every", "timeout", "thresholds"];
pub(super) const ADDRESS: &[&str] = &["url", "url_env", "url_file"];
const POSTGRES: &[&str] = &["postgres://", "postgresql://"];
const REDIS: &[&str] = &["redis://", "rediss://", "redis+unix:", "unix:"];

/// What a kind takes. A kind that this table does not know takes an address of any scheme.
fn takes(kind: &str) -> Takes {
    let (keys, schemes, finds_itself): (&[&str], &[&str], bool) = match kind {
        "host" => (&["group"], &[], true),
        "ssh" => (&["group", "ssh_config"], &["ssh://"], false),
        "node_exporter" => (&["group"], &["http://", "https://"], false),
        "prometheus_hosts" => (&["select", "group_by"], &["http://", "https://"], false),
        "postgres" => (&["slow_after", "application_pattern"], POSTGRES, true),
        "pgbouncer" => (&[], &["postgres://", "postgresql://"], false),
        "redis" => (&["namespace", "sentinel", "master", "tls_ca", "tls_cert", "tls_key"], REDIS, false),
        "memcached" => (&["namespace"], &["memcached://", "unix:"], false),
        "sql" => (&["statement", "schema", "queues"], POSTGRES, true),
        kind if SQL_QUEUE_KINDS.contains(&kind) => (&["schema", "queues"], POSTGRES, true),
        "rabbitmq" => (&["queues", "vhost"], &["http://", "https://"], false),
        "celery" | "bullmq" | "dramatiq" | "resque" | "laravel" => {
            (&["queues", "prefix", "sentinel", "master", "tls_ca", "tls_cert", "tls_key"], REDIS, false)
        }
        kind if QUEUE_KINDS.contains(&kind) => {
            (&["queues", "sentinel", "master", "tls_ca", "tls_cert", "tls_key"], REDIS, false)
        }
        "haproxy" => {
            (&["ring", "master_socket", "sockets"], &["http://", "https://", "unix:", "tcp://"], false)
        }
        "uwsgi" => (&[], &["tcp://", "unix:", "http://", "https://"], false),
        "puma" => (&["listens", "token_env", "token_file"], &["http://", "https://", "unix:"], false),
        "php_fpm" => (&["listens", "status_path"], &["fcgi://", "unix:", "http://", "https://"], false),
        "varnish" => (&["instance", "secret_file"], &["tcp://"], true),
        "nginx" => (&["log"], &["http://", "https://"], false),
        "prometheus" => (&["preset", "metrics"], &["http://", "https://"], false),
        _ => (&[], &[""], false),
    };
    Takes { keys, schemes, finds_itself }
}

/// Whose key this is, for the error that says it stands at the wrong target.
fn owner(key: &str) -> Option<&'static str> {
    match key {
        "slow_after" | "application_pattern" => Some("postgres"),
        "namespace" => Some("redis and memcached"),
        "sentinel" | "master" | "tls_ca" | "tls_cert" | "tls_key" => Some("redis and worker queues on Redis"),
        "queues" => Some("worker queues, such as rq, celery and sidekiq"),
        "prefix" => Some("queue libraries whose keys can begin with a prefix, such as celery"),
        "vhost" => Some("rabbitmq"),
        "statement" => Some("sql, which asks a database for its queues"),
        "schema" => Some("queues in a database, such as sql and procrastinate"),
        "ssh_config" => Some("ssh"),
        "ring" | "master_socket" | "sockets" => Some("haproxy"),
        "log" => Some("nginx"),
        "listens" => Some("app servers that do not tell where they listen: puma and php_fpm"),
        "token_env" | "token_file" => Some("puma"),
        "instance" | "secret_file" => Some("varnish"),
        "status_path" => Some("php_fpm"),
        "group" => Some("machines: host, ssh and node_exporter"),
        "select" | "group_by" => Some("prometheus_hosts"),
        "preset" | "metrics" => Some("prometheus"),
        "url" | "url_env" | "url_file" => Some("targets other than host, which is this machine"),
        _ => None,
    }
}

/// What reading a target needs of its surroundings.
pub(super) struct Context<'a> {
    pub(super) known: &'a Known<'a>,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    /// Folder of the config file: relative paths begin there.
    pub(super) base: &'a Path,
}

/// Reads one target. `None` when it has no usable id or kind; the faults then say why.
pub(super) fn target(
    doc: &mut Document<'_>,
    table: &DeTable<'_>,
    span: &Range<usize>,
    context: &Context<'_>,
) -> Option<TargetSpec> {
    let mut at = Section { path: "target".into(), called: Some("a target".into()), table };
    let Some((id_text, id_span)) = doc.text(&at, "id") else {
        if !at.has("id") {
            doc.fault(&at, "id", span, "is missing; every target needs one, such as id = \"primary\"".into());
        }
        return None;
    };
    let id = match TargetId::parse(&id_text) {
        Ok(id) => id,
        Err(err) => {
            doc.fault(&at, "id", &id_span, err.to_string());
            return None;
        }
    };
    at = Section { path: format!("target.{id}"), called: Some(format!("target \"{id}\"")), table };
    doc.text(&at, "id");
    let kind = kind(doc, &at, span, context.known)?;
    let takes = takes(&kind);
    legal_keys(doc, &at, &kind, &takes);

    let mut spec = TargetSpec::new(id, &kind);
    spec.line = Some(doc.line(span));
    let millis = Duration::from_millis;
    if let Some(every) = doc.duration(&at, "every", millis(100), Duration::from_hours(1)) {
        spec.every = every;
    }
    if let Some(timeout) = doc.duration(&at, "timeout", millis(10), Duration::from_mins(1)) {
        spec.timeout = timeout;
    }
    let has = |key: &str| takes.keys.contains(&key);
    if has("slow_after")
        && let Some(slow) = doc.duration(&at, "slow_after", millis(1), Duration::from_hours(24))
    {
        spec.slow_after = slow;
    }
    texts(doc, &at, &has, &mut spec);
    paths(doc, &at, &has, context, &mut spec);
    if has("application_pattern") {
        applications(doc, &at, &mut spec);
    }
    if has("queues") {
        queues(doc, &at, &mut spec);
    }
    if has("statement") {
        statement(doc, &at, span, &mut spec);
    }
    haproxy_keys(doc, &at, &mut spec);
    if has("token_env") {
        token(doc, &at, context, &mut spec);
    }
    if has("metrics") {
        metrics(doc, &at, span, &mut spec);
    }
    if has("sentinel") {
        sentinels(doc, &at, span, &mut spec);
        tls_files(doc, &at, span, |path| resolve(context, path), &mut spec);
    }
    if has("namespace") {
        namespaces(doc, &at, &mut spec);
    }
    if !takes.schemes.is_empty() {
        address(doc, &at, span, &takes, context, &mut spec);
    }
    spec.thresholds = thresholds(doc, &at);
    Some(spec)
}

/// Keys whose text is taken as it is.
fn texts(doc: &mut Document<'_>, at: &Section<'_, '_>, has: &dyn Fn(&str) -> bool, spec: &mut TargetSpec) {
    // The group of one machine, or the label that tells the group of each of many.
    let group = if has("group_by") { "group_by" } else { "group" };
    for (key, into) in [
        ("vhost", &mut spec.vhost),
        ("prefix", &mut spec.prefix),
        ("schema", &mut spec.schema),
        ("instance", &mut spec.instance),
        ("listens", &mut spec.listens),
        ("status_path", &mut spec.status_path),
        (group, &mut spec.group),
        ("select", &mut spec.select),
    ] {
        if has(key) {
            *into = doc.text(at, key).map(|(text, _)| text);
        }
    }
}

/// Keys whose text is the path of a file.
fn paths(
    doc: &mut Document<'_>,
    at: &Section<'_, '_>,
    has: &dyn Fn(&str) -> bool,
    context: &Context<'_>,
    spec: &mut TargetSpec,
) {
    for (key, into) in
        [("ssh_config", &mut spec.ssh_config), ("log", &mut spec.log), ("secret_file", &mut spec.secret_file)]
    {
        if has(key) {
            *into = doc.text(at, key).map(|(path, _)| resolve(context, &path));
        }
    }
}

fn applications(doc: &mut Document<'_>, at: &Section<'_, '_>, spec: &mut TargetSpec) {
    let Some((pattern, span)) = doc.text(at, "application_pattern") else { return };
    match ApplicationPattern::parse(&pattern) {
        Ok(pattern) => spec.applications = Some(pattern),
        Err(why) => doc.fault(at, "application_pattern", &span, why),
    }
}

fn kind(
    doc: &mut Document<'_>,
    at: &Section<'_, '_>,
    span: &Range<usize>,
    known: &Known<'_>,
) -> Option<String> {
    let Some((kind, kind_span)) = doc.text(at, "kind") else {
        if !at.has("kind") {
            doc.fault(at, "kind", span, format!("is missing; known are {}", known.kinds.join(", ")));
        }
        return None;
    };
    if known.kinds.contains(&kind.as_str()) {
        return Some(kind);
    }
    let alias = match kind.as_str() {
        "postgresql" | "pg" | "psql" => Some("postgres"),
        "valkey" | "keydb" | "dragonfly" | "cache" => Some("redis"),
        "php-fpm" | "phpfpm" | "fpm" => Some("php_fpm"),
        "linux" | "local" | "machine" => Some("host"),
        _ => None,
    };
    let right = match alias {
        Some(alias) => format!("it is called \"{alias}\" here"),
        None => instead(&kind, known.kinds),
    };
    doc.fault(at, "kind", &kind_span, format!("there is no kind {kind:?}; {right}"));
    None
}

/// Refuses what no target has, and what a target of another kind has.
fn legal_keys(doc: &mut Document<'_>, at: &Section<'_, '_>, kind: &str, takes: &Takes) {
    let address = if takes.schemes.is_empty() { &[] } else { ADDRESS };
    let legal: Vec<&str> = [COMMON, address, takes.keys].concat();
    for key in at.table.keys() {
        let name: &str = key.get_ref();
        if legal.contains(&name) {
            continue;
        }
        let why = match owner(name) {
            Some(owner) => format!("is for {owner}; this target is of kind {kind}"),
            None => format!("unknown key; {}", instead(name, &legal)),
        };
        doc.fault(at, name, &key.span(), why);
    }
}

fn statement(doc: &mut Document<'_>, at: &Section<'_, '_>, span: &Range<usize>, spec: &mut TargetSpec) {
    let example = "select queue, count(*) as depth from jobs group by queue";
    let Some((text, text_span)) = required(doc, at, span, "statement", example) else { return };
    match one_select(&text) {
        Ok(statement) => spec.statement = Some(statement),
        Err(why) => doc.fault(at, "statement", &text_span, why),
    }
}

fn queues(doc: &mut Document<'_>, at: &Section<'_, '_>, spec: &mut TargetSpec) {
    for (queue, span) in doc.texts(at, "queues").unwrap_or_default() {
        if queue.is_empty() || queue.chars().any(char::is_control) {
            doc.fault(at, "queues", &span, "a queue's name must be printable and not empty".into());
        } else if spec.queues.contains(&queue) {
            doc.fault(at, "queues", &span, format!("{queue:?} is named twice"));
        } else {
            spec.queues.push(queue);
        }
    }
}

fn namespaces(doc: &mut Document<'_>, at: &Section<'_, '_>, spec: &mut TargetSpec) {
    for (table, span) in doc.tables(at, "namespace") {
        let called = at.called.as_ref().map(|target| format!("a namespace of {target}"));
        let mut here = Section { path: at.dotted("namespace"), called, table };
        doc.only(&here, &["name", "prefix", "protected", "version_key"]);
        let Some((name, name_span)) = required(doc, &here, &span, "name", "templates") else { continue };
        here.path = format!("{}.{name}", here.path);
        here.called = at.called.as_ref().map(|target| format!("namespace {name:?} of {target}"));
        let Some((prefix, prefix_span)) = required(doc, &here, &span, "prefix", "cache:templates:") else {
            continue;
        };
        let protected = doc.flag(&here, "protected").unwrap_or(false);
        if spec.namespaces.iter().any(|other| other.name == name) {
            doc.fault(&here, "name", &name_span, "is used twice on this target; names must differ".into());
            continue;
        }
        match Namespace::parse(&name, &prefix, protected) {
            Ok(mut namespace) => {
                namespace.version_key =
                    doc.text(&here, "version_key").map(|(key, _)| key).filter(|key| !key.is_empty());
                spec.namespaces.push(namespace);
            }
            Err(err) => doc.fault(&here, "prefix", &prefix_span, err.to_string()),
        }
    }
}

/// Text that must be there.
fn required(
    doc: &mut Document<'_>,
    at: &Section<'_, '_>,
    span: &Range<usize>,
    key: &str,
    example: &str,
) -> Option<(String, Range<usize>)> {
    if !at.has(key) {
        doc.fault(at, key, span, format!("is missing, such as {key} = \"{example}\""));
    }
    doc.text(at, key)
}

/// A path of the file: `~/` is the home folder, a relative one begins at the file's folder.
pub(super) fn resolve(context: &Context<'_>, path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), (context.env)("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => context.base.join(path),
    }
}
