//! Printing. Whoever stops reading has seen enough: a closed pipe is no error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::Failure;

/// Prints to standard output.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::other(format!("cannot print: {why}")))
        }
        _ => Ok(()),
    }
}

/// Prints one JSON object and a line end.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut text =
        serde_json::to_string(value).map_err(|why| Failure::other(format!("cannot print: {why}")))?;
    text.push('\n');
    print(&text)
}

/// Says what went wrong.
pub(super) fn error(says: &str) {
    writeln!(io::stderr(), "warroom: {says}").ok();
}

/// Says something beside the result.
pub(super) fn note(says: &str) {
    writeln!(io::stderr(), "{says}").ok();
}

/// Asks on the terminal; `None` when there is none to ask on, or it was closed.
pub(super) fn ask(question: &str) -> Option<String> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    write!(io::stderr(), "{question} ").and_then(|()| io::stderr().flush()).ok()?;
    let mut answer = String::new();
    match io::stdin().read_line(&mut answer) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(answer.trim().to_owned()),
    }
}
