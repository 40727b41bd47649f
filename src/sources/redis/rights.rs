//! What a user must be allowed to do, tried command by command, and the rules that allow it.

use super::super::resp::{self, Resp};
use crate::config::TargetSpec;
use crate::model::{DoctorLine, Namespace, Severity};

/// How a server knows its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Users {
    /// It knows one password at most: Redis before 6.
    Nobody,
    /// Users with one set of rules each: Redis 6.
    Plain,
    /// Users with several sets of rules, and an answer to what they may do: Redis 7 and what came of it.
    Selectors,
}

/// Who is logged in, and where.
pub(super) struct Account {
    /// The user's name, or `<user>`.
    pub(super) user: String,
    /// What the server knows of users.
    pub(super) users: Users,
}

/// A command that is sent, what is lost without it, and what allows it.
struct Right {
    words: &'static [&'static str],
    without: &'static str,
    rule: &'static str,
    /// The last word is the name of a key.
    key: bool,
}

const fn right(words: &'static [&'static str], without: &'static str, rule: &'static str) -> Right {
    Right { words, without, rule, key: false }
}

const fn of_a_key(words: &'static [&'static str], without: &'static str, rule: &'static str) -> Right {
    Right { words, without, rule, key: true }
}

/// Every command of the polls, and of the look before a clear; none of them changes anything.
const RIGHTS: &[Right] = &[
    right(&["SLOWLOG", "GET", "1"], "slow commands stay unseen", "+slowlog|get"),
    right(&["SCAN", "0", "COUNT", "1"], "no namespace can be measured or cleared", "+scan"),
    right(&["CLIENT", "LIST"], "which client is at fault is not told", "+client|list"),
    right(&["DBSIZE"], "a clear cannot tell how much it would take, and is refused", "+dbsize"),
    right(&["TIME"], "a plan does not tell when it was read", "+time"),
    of_a_key(&["TYPE"], "a clear's plan does not tell the types of its keys", "+type"),
    of_a_key(&["PTTL"], "a clear's plan does not tell when its keys expire", "+pttl"),
    of_a_key(&["MEMORY", "USAGE"], "a clear's plan does not tell what it frees", "+memory|usage"),
    of_a_key(&["OBJECT", "IDLETIME"], "a clear cannot tell old keys from new ones", "+object|idletime"),
];
/// What is asked besides where Sentinels name the master, and in a cluster.
const ROLE: Right = right(&["ROLE"], "a master that was just demoted is not told from a new one", "+role");
const CLUSTER: Right =
    right(&["CLUSTER", "INFO"], "whether all slots are served stays unseen", "+cluster|info");
const SLOTS: Right = right(
    &["CLUSTER", "SLOTS"],
    "the other masters are not found, and no namespace can be cleared",
    "+cluster|slots",
);

/// What a user for watching needs, whoever it is.
const READS: &str = "+@read +@connection -@dangerous +info +time +role +client|setname +client|list +slowlog|get +slowlog|len \
                     +cluster|info +cluster|slots +acl|whoami";

/// Tries each command; what is refused is told with what is lost and what mends it, and all of it at once
/// by one rule when there are several.
pub(super) async fn lacking(
    spec: &TargetSpec,
    connection: &mut Resp,
    account: &Account,
    is_cluster: bool,
) -> Vec<DoctorLine> {
    let open = spec.namespaces.iter().find(|it| !it.protected);
    let mut tried: Vec<&Right> = RIGHTS.iter().filter(|right| open.is_some() || !right.key).collect();
    tried.extend((!spec.sentinels.is_empty()).then_some(&ROLE));
    tried.extend(is_cluster.then_some([&CLUSTER, &SLOTS]).into_iter().flatten());
    let mut pipeline = redis::pipe();
    for right in &tried {
        let key = open.filter(|_| right.key).map(|open| format!("{}x", open.prefix));
        pipeline.cmd(right.words[0]).arg(&right.words[1..]).arg(key);
    }
    let Ok(answers) = connection.ask(&pipeline).await else { return Vec::new() };
    let (mut lines, mut rules): (_, Vec<String>) = (Vec::new(), Vec::new());
    for (right, value) in tried.iter().zip(&answers.values) {
        let Some((code, words)) = resp::refusal(value) else { continue };
        let name = right.words.iter().take_while(|word| word.starts_with(char::is_alphabetic));
        let name = name.filter(|word| **word != "COUNT").copied().collect::<Vec<_>>().join(" ");
        let is_moved = matches!(code.as_str(), "MOVED" | "ASK" | "CLUSTERDOWN");
        if code == "NOPERM" {
            let of_keys = words.contains("access").then_some(open).flatten();
            let rule = match of_keys {
                Some(open) if account.users == Users::Plain => format!("'~{}'", open.pattern()),
                Some(open) => format!("'%R~{}'", open.pattern()),
                None => right.rule.to_owned(),
            };
            let what = format!("{name} is refused: {}", right.without);
            lines.push(DoctorLine::lacking(Severity::Warning, &what, &account.rule(&rule)));
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        } else if code == "ERR" && words.to_lowercase().starts_with("unknown") {
            let what = format!("{name} is not offered here, under this name: {}", right.without);
            lines.push(DoctorLine::lacking(Severity::Unknown, &what, ""));
        } else if !is_moved && !words.contains("no such key") {
            let what = format!("{name} is answered with {code} {words}: {}", right.without);
            lines.push(DoctorLine::lacking(Severity::Unknown, &what, ""));
        }
    }
    if rules.len() > 1 {
        let all = account.rule(&rules.join(" "));
        lines.push(DoctorLine::lacking(Severity::Warning, "all of these rights by one rule", &all));
    }
    lines
}

impl Account {
    /// Asks who is logged in; `named` is the user of the URL, `major` decides where nothing else tells.
    pub(super) async fn find(connection: &mut Resp, major: u32) -> Self {
        let named = connection.user();
        let mut pipeline = redis::pipe();
        pipeline.cmd("ACL").arg("WHOAMI");
        let dry = named.as_deref().unwrap_or("default");
        pipeline.cmd("ACL").arg("DRYRUN").arg(dry).arg("PING");
        let answers = connection.ask(&pipeline).await.map(|answers| answers.values).unwrap_or_default();
        let refusal = |at: usize| answers.get(at).and_then(resp::refusal);
        let is_unknown =
            |told: &(String, String)| told.0 == "ERR" && told.1.to_lowercase().starts_with("unknown");
        let users = match (refusal(0), refusal(1)) {
            (Some(who), _) if is_unknown(&who) => Users::Nobody,
            (_, Some(dry)) if is_unknown(&dry) => Users::Plain,
            (_, Some(_)) if major < 7 => Users::Plain,
            _ => Users::Selectors,
        };
        let told = answers.first().filter(|value| resp::refusal(value).is_none()).and_then(resp::text);
        Self { user: told.or(named).unwrap_or_else(|| "<user>".into()), users }
    }

    /// The statement that gives this user a rule; nothing where there are no users.
    pub(super) fn rule(&self, rule: &str) -> String {
        match self.users {
            Users::Nobody => String::new(),
            _ => format!("ACL SETUSER {} {rule}", self.user),
        }
    }

    /// The user whom the server itself keeps off protected namespaces: it may read, and remove what is open.
    pub(super) fn guarded(&self, shut: &[&Namespace], open: &[&Namespace]) -> String {
        // A pattern cannot leave a part of its keys out: such a namespace is left to the config.
        let inside = |key: &str| shut.iter().any(|shut| shut.prefix.starts_with(key));
        let keys: Vec<_> =
            open.iter().filter(|it| !inside(&it.prefix)).map(|it| format!("~{}", it.pattern())).collect();
        let versions: Vec<_> = open
            .iter()
            .filter_map(|it| Some(Namespace { prefix: it.version_key.clone()?, ..(**it).clone() }.pattern()))
            .map(|pattern| format!("~{}", pattern.trim_end_matches('*')))
            .collect();
        let mut rules = vec!["ACL SETUSER warroom reset on '><password>'".to_owned()];
        if self.users == Users::Selectors {
            rules.push(format!("'%R~*' {READS} +acl|dryrun"));
            rules.extend((!keys.is_empty()).then(|| format!("'({} +unlink +pexpire)'", keys.join(" "))));
            rules.extend((!versions.is_empty()).then(|| format!("'({} +incr)'", versions.join(" "))));
        } else {
            // One set of rules: what may be removed is all that may be looked into.
            let keys = keys.iter().chain(&versions).map(|key| format!("'{key}'")).collect::<Vec<_>>();
            let raise = if versions.is_empty() { "" } else { " +incr" };
            rules.push(format!("{} {READS} +unlink +pexpire{raise}", keys.join(" ")));
        }
        rules.join(" ")
    }
}
