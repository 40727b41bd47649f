//! Finds the config, reads it, and lays environment and flags over it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::document::{Document, Section};
use super::error::{ConfigError, Fault, instead};
use super::file_text::file_text;
use super::target::{Context, resolve, target};
use super::thresholds_file::thresholds;
use super::{Config, ConfirmRule, LabSettings};

/// The names a config may use, handed in by whoever owns them. An empty list is not checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Kinds of target.
    pub kinds: &'a [&'a str],
    /// Commands that a key can be bound to.
    pub commands: &'a [&'a str],
    /// Themes.
    pub themes: &'a [&'a str],
}

/// What the command line says about settings.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config FILE`.
    pub config: Option<PathBuf>,
    /// `--read-only`.
    pub read_only: bool,
}

/// Finds the file that counts: the flag, `$WARROOM_CONFIG`, `./warroom.toml`, the XDG folder, `/etc`.
///
/// # Errors
/// When a file that was named (by the flag or the variable) is not there.
pub fn find(flags: &Flags, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<PathBuf>, ConfigError> {
    let by_env = env("WARROOM_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some((path, from)) =
        flags.config.clone().map(|path| (path, "--config")).or(by_env.map(|path| (path, "$WARROOM_CONFIG")))
    {
        return if path.exists() {
            Ok(Some(path))
        } else {
            Err(ConfigError::whole(path, &format!("there is no such file ({from} names it)")))
        };
    }
    let xdg = env("XDG_CONFIG_HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from)
        .or_else(|| env("HOME").map(|home| Path::new(&home).join(".config")));
    let places = [
        Some(PathBuf::from("warroom.toml")),
        xdg.map(|folder| folder.join("warroom/warroom.toml")),
        Some(PathBuf::from("/etc/warroom/warroom.toml")),
    ];
    Ok(places.into_iter().flatten().find(|path| path.exists()))
}

/// The effective settings: of the file that counts, or of what is found on this machine.
///
/// # Errors
/// When the file cannot be read or is wrong; every fault is told at once.
pub fn load(
    flags: &Flags,
    known: &Known<'_>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let mut config = match find(flags, env)? {
        Some(path) => {
            let text = file_text(&path).map_err(|why| ConfigError::whole(path.clone(), &why))?;
            let mut config = read(&path, &text, known, env)?;
            warn_of_open_secrets(&path, &text, &mut config);
            config
        }
        None => super::discover::discover(known.kinds, env),
    };
    lay_over(&mut config, flags, env)?;
    Ok(config)
}

/// Reads the text of a config file; nothing of the command line is laid over it yet.
///
/// # Errors
/// With every fault found, in the file's order.
pub fn read(
    path: &Path,
    text: &str,
    known: &Known<'_>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let mut doc = Document::new(text);
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(err) => {
            let line = err.span().map(|span| doc.line(&span));
            let why = format!("is not TOML: {}", err.message().replace('\n', ", "));
            return Err(ConfigError {
                path: path.into(),
                faults: vec![Fault { line, key: String::new(), why }],
            });
        }
    };
    let base = path.parent().unwrap_or(Path::new(""));
    let context = Context { known, env, base };
    let top = Section { path: String::new(), called: None, table: root.get_ref() };
    let mut config = Config { path: Some(path.to_owned()), ..Config::default() };
    doc.only(&top, &["environment", "target", "thresholds", "theme", "keys", "notify", "journal", "lab"]);
    environment(&mut doc, &top, &mut config);
    targets(&mut doc, &top, &context, &mut config);
    config.thresholds = thresholds(&mut doc, &top);
    looks(&mut doc, &top, known, &mut config);
    places(&mut doc, &top, &context, &mut config);
    if !doc.faults.is_empty() {
        let mut faults = doc.faults;
        faults.sort_by_key(|fault| fault.line);
        return Err(ConfigError { path: path.to_owned(), faults });
    }
    config.origins = doc.lines.into_iter().map(|(key, line)| (key, format!("line {line}"))).collect();
    Ok(config)
}

fn environment(doc: &mut Document<'_>, top: &Section<'_, '_>, config: &mut Config) {
    let Some(at) = doc.table(top, "environment") else { return };
    doc.only(&at, &["name", "confirm", "read_only"]);
    if let Some((name, span)) = doc.text(&at, "name") {
        if name.trim().is_empty() || name.chars().count() > 40 || name.chars().any(char::is_control) {
            doc.fault(
                &at,
                "name",
                &span,
                "must be 1 to 40 printable characters, such as \"production\"".into(),
            );
        }
        config.environment.name = name;
    }
    match doc.text(&at, "confirm") {
        Some((rule, _)) if rule == "key" => config.environment.confirm = ConfirmRule::Key,
        Some((rule, _)) if rule == "name" => config.environment.confirm = ConfirmRule::Name,
        Some((rule, span)) => {
            let why =
                format!("{rule:?} is neither \"key\" (y confirms) nor \"name\" (the target's id is typed)");
            doc.fault(&at, "confirm", &span, why);
        }
        None => {}
    }
    if let Some(read_only) = doc.flag(&at, "read_only") {
        config.environment.read_only = read_only;
        config.environment.read_only_from = "the config file";
    }
}

fn targets(doc: &mut Document<'_>, top: &Section<'_, '_>, context: &Context<'_>, config: &mut Config) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (table, span) in doc.tables(top, "target") {
        let Some(spec) = target(doc, table, &span, context) else { continue };
        let line = doc.line(&span);
        if let Some(first) = seen.insert(spec.id.to_string(), line) {
            let at =
                Section { path: "target".into(), called: Some(format!("target \"{}\"", spec.id)), table };
            let span = table.get("id").map_or(span, toml::Spanned::span);
            doc.fault(
                &at,
                "id",
                &span,
                format!("is used twice, first by the target on line {first}; ids must differ"),
            );
        }
        config.targets.push(spec);
    }
    if !top.has("target") {
        let why = "is missing: there is nothing to watch; add a [[target]] with id and kind".to_owned();
        doc.faults.push(Fault { line: None, key: "target".into(), why });
    }
}

/// Theme, keys and announcements.
fn looks(doc: &mut Document<'_>, top: &Section<'_, '_>, known: &Known<'_>, config: &mut Config) {
    if let Some((theme, span)) = doc.text(top, "theme") {
        if !known.themes.is_empty() && !known.themes.contains(&theme.as_str()) {
            let why = format!("there is no theme {theme:?}; {}", instead(&theme, known.themes));
            doc.fault(top, "theme", &span, why);
        }
        config.theme = Some(theme);
    }
    if let Some(at) = doc.table(top, "keys") {
        if !known.commands.is_empty() {
            for key in at.table.keys().filter(|key| !known.commands.contains(&key.get_ref().as_ref())) {
                let name: &str = key.get_ref();
                doc.fault(
                    &at,
                    name,
                    &key.span(),
                    format!("there is no such command; {}", instead(name, known.commands)),
                );
            }
        }
        for key in at.table.keys() {
            if let Some((chord, span)) = doc.text(&at, key.get_ref()) {
                if chord.trim().is_empty() {
                    doc.fault(
                        &at,
                        key.get_ref(),
                        &span,
                        "names no key; write one such as \"K\" or \"ctrl-l\"".into(),
                    );
                }
                config.keys.push((key.get_ref().to_string(), chord));
            }
        }
    }
    if let Some(at) = doc.table(top, "notify") {
        doc.only(&at, &["bell", "title", "osc", "desktop"]);
        let notify = &mut config.notify;
        notify.bell = doc.flag(&at, "bell").unwrap_or(notify.bell);
        notify.title = doc.flag(&at, "title").unwrap_or(notify.title);
        notify.desktop = doc.flag(&at, "desktop").unwrap_or(notify.desktop);
        if let Some((number, span)) = doc.number(&at, "osc") {
            notify.osc = [9_u16, 99, 777].into_iter().find(|osc| (f64::from(*osc) - number).abs() < 1e-9);
            if notify.osc.is_none() {
                let why =
                    "must be 9, 99 or 777, as your terminal understands; leave it out for none".to_owned();
                doc.fault(&at, "osc", &span, why);
            }
        }
    }
}

/// Journal and lab.
fn places(doc: &mut Document<'_>, top: &Section<'_, '_>, context: &Context<'_>, config: &mut Config) {
    if let Some(at) = doc.table(top, "journal") {
        doc.only(&at, &["path"]);
        config.journal = doc.text(&at, "path").map(|(path, _)| resolve(context, &path));
    }
    if let Some(at) = doc.table(top, "lab") {
        doc.only(&at, &["dir"]);
        config.lab = doc.text(&at, "dir").map(|(dir, _)| LabSettings { dir: resolve(context, &dir) });
    }
}

/// The settings of who needs no target and has no file: only flags and environment speak.
///
/// # Errors
/// When the environment cannot be understood.
pub fn without_file(flags: &Flags, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    lay_over(&mut config, flags, env)?;
    Ok(config)
}

/// `read_only`: the flag beats the environment, which beats the file.
fn lay_over(
    config: &mut Config,
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(), ConfigError> {
    if let Some(value) = env("WARROOM_READ_ONLY") {
        let read_only = match value.trim().to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true,
            "" | "0" | "false" | "no" | "off" => false,
            _ => {
                let why = format!("{value:?} is neither 1 (yes) nor 0 (no)");
                return Err(ConfigError {
                    path: "the environment".into(),
                    faults: vec![Fault { line: None, key: "WARROOM_READ_ONLY".into(), why }],
                });
            }
        };
        if !value.trim().is_empty() {
            config.environment.read_only = read_only;
            config.environment.read_only_from = "WARROOM_READ_ONLY";
        }
    }
    if flags.read_only {
        config.environment.read_only = true;
        config.environment.read_only_from = "--read-only";
    }
    Ok(())
}

/// A file that others may read must not hold a password; said, not refused, for an incident is no time to refuse.
fn warn_of_open_secrets(path: &Path, text: &str, config: &mut Config) {
    let open = std::fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o044 != 0);
    if !open {
        return;
    }
    let holds = config.targets.iter().any(|target| {
        let mut urls = target.url.iter().chain(&target.sentinels);
        urls.any(|url| url.holds_password() && text.contains(url.expose()))
    });
    if holds {
        let path = path.display();
        config.notices.push(format!("{path} holds a password and others can read it; chmod 600 {path}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    const WHOLE: &str = r#"theme = "mono"

[environment]
name = "production"
read_only = false

[[target]]
id = "primary"
kind = "postgres"
url = "postgres://warroom:secret@10.0.0.5:5432/shop"
slow_after = "1500ms"
thresholds = { "postgres.connections" = { warning = 0.7, critical = 0.9 } }

[[target]]
id = "cache"
kind = "redis"
url_env = "CACHE_URL"
sentinel = ["10.0.0.6:26379"]
master = "shop"
[[target.namespace]]
name = "templates"
prefix = "cache:templates:"
protected = true

[thresholds]
"host.cpu" = { warning = 0.8, critical = 0.95 }

[keys]
quit = "ctrl-q"
"#;

    #[test]
    fn torn_files_are_read_or_every_fault_has_a_line_of_theirs() {
        let known = Known { kinds: &["postgres", "redis"], commands: &["quit"], themes: &["mono"] };
        let env = |name: &str| (name == "CACHE_URL").then(|| "redis://:secret@10.0.0.7:6379/0".to_owned());
        let path = Path::new("warroom.toml");
        let config = read(path, WHOLE, &known, &env).expect("the whole is legal");
        assert_eq!(config.targets.len(), 2);
        each_torn_text(WHOLE, |torn| {
            let Err(error) = read(path, torn, &known, &env) else { return };
            assert!(!error.faults.is_empty(), "{torn}");
            for fault in &error.faults {
                assert!(
                    fault.line.is_none_or(|line| (1..=torn.lines().count() + 1).contains(&line)),
                    "{fault:?}"
                );
            }
        });
    }
}
