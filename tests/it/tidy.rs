//! The rules of the house that a compiler does not know: who may import whom, where a package lives,
//! how long a file may be, and what must never be written.

#![expect(clippy::expect_used, reason = "what cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom: what is not listed is refused.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("config", &["model"]),
    ("store", &["model"]),
    ("journal", &["model"]),
    ("detect", &["store", "config", "model"]),
    ("app", &["detect", "store", "config", "model"]),
    ("view", &["app", "detect", "store", "config", "model"]),
    ("dial", &["config", "model"]),
    ("sources", &["dial", "config", "model"]),
    ("explain", &["dial", "config", "model"]),
    // Actions count who will go on by the detector's own lock trees.
    ("actions", &["dial", "journal", "detect", "config", "model"]),
    ("feed", &["sources", "config", "model"]),
    ("lab", &["config", "model"]),
    (
        "shell",
        &[
            "app", "view", "detect", "store", "sources", "explain", "actions", "feed", "journal", "lab",
            "config", "model",
        ],
    ),
    ("cli", &["shell", "config", "journal", "lab", "model"]),
];

/// Single files that may import more than their folder, each with its reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Where a package may be named.
const HOMES: &[(&str, &[&str])] = &[
    ("ratatui", &["view", "shell"]),
    ("crossterm", &["shell"]),
    ("tokio", &["sources", "actions", "dial", "feed", "lab", "shell", "cli"]),
    ("sqlx", &["sources", "explain", "actions", "dial", "lab"]),
    ("redis", &["sources", "actions", "dial", "lab"]),
    ("reqwest", &["sources", "actions", "dial", "lab"]),
    ("sysinfo", &["sources/host"]),
    ("notify_rust", &["shell/notify.rs"]),
    ("clap", &["cli", "main.rs"]),
];

/// Files that only the tests compile.
const ONLY_TESTS: &[&str] = &["torn.rs", "sources/torn_layout.rs"];

/// Words that must not stand in the code. The lab has a Redis of its own and may empty it.
const NEVER: &[&str] = &["todo!", "unimplemented!", "FLUSHALL", "FLUSHDB", "dbg!"];

pub(crate) struct Code {
    /// Path below `src`, with `/`.
    pub(crate) path: String,
    /// Its text without comment lines, up to its own tests.
    pub(crate) text: String,
    lines: usize,
    whole: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn files(below: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).expect("the folder is readable") {
        let path = entry.expect("the entry is readable").path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | ".git" | "node_modules") {
                files(&path, into);
            }
        } else {
            into.push(path);
        }
    }
}

pub(crate) fn rust_files(folder: &str) -> Vec<Code> {
    let base = root().join(folder);
    let mut paths = Vec::new();
    files(&base, &mut paths);
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    assert!(!paths.is_empty(), "no code below {folder}");
    let read = |path: PathBuf| {
        let whole = fs::read_to_string(&path).expect("the file is text");
        let path = path.strip_prefix(&base).expect("it is below").to_string_lossy().replace('\\', "/");
        let code = if ONLY_TESTS.contains(&path.as_str()) {
            ""
        } else {
            whole.split("\nmod tests {").next().unwrap_or("")
        };
        let text = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>();
        Code { path, text: text.join("\n"), lines: whole.lines().count(), whole }
    };
    paths.into_iter().map(read).collect()
}

/// The first words of every path behind `crate::`, groups included.
fn imports(text: &str) -> Vec<String> {
    let word = |text: &str| {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    let mut found = Vec::new();
    for rest in text.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            found.push(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && !c.is_whitespace() => {
                    found.push(word(&group[at..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn folders_import_only_what_they_may() {
    let mut wrong = Vec::new();
    for code in rust_files("src") {
        let Some((folder, _)) = code.path.split_once('/') else { continue };
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == folder) else {
            wrong.push(format!("src/{folder} is not in the table"));
            continue;
        };
        for import in imports(&code.text) {
            let excepted = EXCEPTIONS.iter().any(|(path, what, _)| *path == code.path && *what == import);
            if import != folder && !allowed.contains(&import.as_str()) && !excepted {
                wrong.push(format!("src/{} imports {import}", code.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_source_knows_its_sibling() {
    let code = rust_files("src/sources");
    let kinds: Vec<&str> = code.iter().filter_map(|code| code.path.strip_suffix("/mod.rs")).collect();
    let mut wrong = Vec::new();
    for code in &code {
        let Some((own, _)) = code.path.split_once('/') else { continue };
        for kind in kinds.iter().filter(|kind| **kind != own) {
            for path in [format!("sources::{kind}"), format!("super::super::{kind}::")] {
                if code.text.contains(&path) {
                    wrong.push(format!("src/sources/{} imports {path}", code.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether the code names this package: `name::` that is no part of a longer path or word.
fn names(text: &str, package: &str) -> bool {
    text.match_indices(&format!("{package}::")).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
    })
}

#[test]
fn packages_stay_at_home() {
    let mut wrong = Vec::new();
    for code in rust_files("src") {
        for (package, homes) in HOMES {
            let home =
                homes.iter().any(|home| code.path == *home || code.path.starts_with(&format!("{home}/")));
            if !home && names(&code.text, package) {
                wrong.push(format!("src/{} names {package}", code.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_short_and_say_what_they_know() {
    let mut wrong = Vec::new();
    for code in rust_files("src").iter().chain(&rust_files("tests")) {
        if code.lines > 400 {
            wrong.push(format!("{}: {} lines, 400 are the end", code.path, code.lines));
        }
        if code.path.ends_with("/mod.rs") && !code.whole.starts_with("//!") {
            wrong.push(format!("{}: does not say what its folder knows", code.path));
        }
        let name = code.path.rsplit('/').next().unwrap_or_default();
        if ["utils.rs", "helpers.rs", "common.rs", "manager.rs", "util.rs"].contains(&name) {
            wrong.push(format!("{}: a name that says nothing", code.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn some_words_are_never_written() {
    let mut wrong = Vec::new();
    for code in rust_files("src") {
        for word in NEVER.iter().filter(|word| code.text.contains(**word)) {
            let lab = code.path.starts_with("lab/") && word.starts_with("FLUSH");
            if !lab {
                wrong.push(format!("src/{}: {word}", code.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_picture_of_the_readme_is_there() {
    let Ok(readme) = fs::read_to_string(root().join("README.md")) else { return };
    let markdown = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let html = readme.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next());
    for link in markdown.chain(html) {
        let local = !link.contains("://") && !link.starts_with('#') && !link.starts_with("mailto:");
        let path = link.split(['#', ' ']).next().unwrap_or_default();
        if local && !path.is_empty() {
            assert!(root().join(path).exists(), "README.md shows {path}, which does not exist");
        }
    }
}

#[test]
fn nothing_big_lies_about() {
    let mut paths = Vec::new();
    files(root(), &mut paths);
    for path in paths {
        let size = fs::metadata(&path).map_or(0, |meta| meta.len());
        assert!(size <= 1 << 20, "{} has {size} bytes", path.display());
    }
}

/// Words in quotes of letters and underscores that follow `before`.
fn words_after<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let rests = text.split(before).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
    rests.filter_map(|rest| rest.split_once('"')).map(|(word, _)| word).collect()
}

#[test]
fn advice_is_given_to_rules_that_exist() {
    let rules = root().join("src/detect");
    let mut all = Vec::new();
    files(&rules, &mut all);
    let code: Vec<String> = all.iter().map(|it| fs::read_to_string(it).expect("readable")).collect();
    // By its constructor, or by the one that the rules of a file share.
    let makers = ["Assessment::new(", " assessment("];
    let known: Vec<&str> =
        code.iter().flat_map(|text| makers.iter().flat_map(|maker| words_after(text, maker))).collect();
    let advice = fs::read_to_string(rules.join("advice.rs")).expect("readable");
    let arms =
        advice.lines().map(str::trim_start).filter(|line| line.starts_with('"') && line.contains("=>"));
    let heads = arms.filter_map(|line| line.split_once("=>")).flat_map(|(head, _)| head.split('|'));
    let advised: Vec<&str> = heads.filter_map(|it| it.trim().strip_prefix('"')?.split('"').next()).collect();
    assert!(advised.len() > 10, "{advised:?}");
    let unknown: Vec<_> = advised.iter().filter(|rule| !known.contains(rule)).collect();
    assert!(unknown.is_empty(), "advice for rules that are not there: {unknown:?}");
}

#[test]
fn imports_are_seen_in_groups_too() {
    let text = "use crate::{app::{A, B}, model::C,\n view};\nfn f() { crate::store::x(); }";
    assert_eq!(imports(text), ["app", "model", "view", "store"]);
    assert!(names("use tokio::time;", "tokio") && !names("crate::lab::redis::start", "redis"));
}
