//! `warroom` alone: opens the console.

use super::args::Global;
use super::end::{End, Fail};

/// Opens the console and stays until it is left.
pub(super) fn run(_global: &Global) -> Result<End, Fail> {
    Err(Fail::new(1, "the console does not open yet; `warroom check` prints the verdict"))
}
