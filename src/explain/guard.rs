//! What is refused by its text alone. The server guards as well: see `ask.rs`.

use crate::model::{Refusal, SafeText};

/// First words of statements that have a plan.
const PLANNED: [&str; 8] = ["select", "insert", "update", "delete", "merge", "with", "values", "table"];

/// Whether a text can be a statement that has a plan.
///
/// # Errors
/// Why not, for the operator.
pub(super) fn check(text: &str) -> Result<(), Refusal> {
    let word = first_word(text);
    if PLANNED.contains(&word.as_str()) {
        return Ok(());
    }
    Err(Refusal::refused(&match word.as_str() {
        "" => "there is no statement to explain".to_owned(),
        "explain" => "it is an explain already: give the statement behind it".to_owned(),
        "execute" => {
            "it executes a statement prepared in its own session, whose text cannot be seen".to_owned()
        }
        "fetch" | "move" => "it reads on in a cursor, whose statement cannot be seen".to_owned(),
        word => format!("{} has no plan: select, insert, update, delete and merge have", SafeText::new(word)),
    }))
}

/// Whether it changes data.
pub(super) fn writes(text: &str) -> bool {
    matches!(first_word(text).as_str(), "insert" | "update" | "delete" | "merge")
}

/// The first word, in small letters, behind comments and opening brackets.
fn first_word(text: &str) -> String {
    let mut rest = text.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if rest.starts_with("/*") {
            after_comment(rest)
        } else if let Some(after) = rest.strip_prefix('(') {
            after
        } else {
            break;
        };
        rest = after.trim_start();
    }
    rest.chars().take_while(char::is_ascii_alphabetic).take(30).collect::<String>().to_ascii_lowercase()
}

/// What follows a comment; comments may stand in one another.
fn after_comment(text: &str) -> &str {
    let (mut depth, mut at) = (0_u32, 0);
    let bytes = text.as_bytes();
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return &text[at..];
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    #[test]
    fn only_what_has_a_plan_passes() {
        for fine in [
            "SELECT 1",
            " /* a /* b */ c */ -- d\n select 1",
            "((select 1) union all select 2)",
            "With x as (select 1) select * from x",
            "table users",
            "/*app='web'*/ update users set n = 1",
        ] {
            assert!(check(fine).is_ok(), "{fine}");
        }
        for (text, why) in [
            ("", "no statement"),
            ("-- nothing", "no statement"),
            ("/* open", "no statement"),
            ("commit", "commit has no plan"),
            ("vacuum full users", "vacuum has no plan"),
            ("explain analyze delete from users", "explain already"),
            ("EXECUTE q(1)", "own session"),
            ("fetch 100 from c", "cursor"),
            ("autovacuum: VACUUM public.users", "autovacuum has no plan"),
        ] {
            let refusal = check(text).expect_err(text);
            assert!(refusal.says.as_str().contains(why), "{text}: {}", refusal.says);
        }
    }

    #[test]
    fn torn_statements_are_judged() {
        let text = "/* a /* b */ */ -- c\n ((with x as (select 'd') update t set e = f returning *))";
        each_torn_text(text, |torn| drop((check(torn), writes(torn))));
    }
}
