//! `warroom doctor`: what will not work, and what mends it.

use std::fmt::Write as _;

use super::args::{Form, Global};
use super::end::{End, Fail};
use super::run::{config, runtime};
use super::signal;
use crate::model::Severity;
use crate::shell::doctor::examine;

/// Examines every target; the exit code is 1 when anything does not work as it should.
pub(super) fn run(global: &Global, form: Form) -> Result<End, Fail> {
    let config = config(global)?;
    let runtime = runtime()?;
    let examined = runtime.block_on(async {
        tokio::select! {
            examined = examine(&config) => Ok(examined),
            code = signal::ended() => Err(Fail::new(code, "ended before the examination")),
        }
    });
    runtime.shutdown_background();
    let examined = examined?;
    let code = u8::from(examined.iter().any(|one| one.worst() >= Severity::Warning));
    if form.json {
        return End::json(&examined, code);
    }
    let mut out = String::new();
    for one in &examined {
        writeln!(out, "{} ({})", one.id, one.kind).ok();
        for line in &one.lines {
            writeln!(out, "  {:<2} {}", line.ok.glyph(), line.what).ok();
            if let Some(mend) = &line.mend {
                writeln!(out, "     mend: {mend}").ok();
            }
        }
    }
    Ok(End::new(out, code))
}
