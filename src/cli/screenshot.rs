//! `warroom screenshot`: the console as it stands, drawn into a file.

use std::time::Duration;

use super::args::{Global, ScreenshotArgs};
use super::console::setup;
use super::end::{End, Fail, USAGE};
use super::run::runtime;
use crate::shell::picture::{Pose, picture};

/// Looks on, presses the keys and writes the file.
pub(super) fn run(global: &Global, args: &ScreenshotArgs) -> Result<End, Fail> {
    let keys: Result<Vec<_>, _> = args.keys.iter().map(|key| key.parse()).collect();
    let keys = keys.map_err(|err| Fail::new(USAGE, &format!("{err}")))?;
    let pose = Pose { size: (args.columns, args.rows), after: Duration::from_secs(args.after), keys };
    let setup = setup(global)?;
    let drawn = runtime()?.block_on(picture(setup, &pose)).map_err(|err| Fail::new(1, &err.to_string()))?;
    std::fs::write(&args.file, drawn)
        .map_err(|err| Fail::new(1, &format!("cannot write {}: {err}", args.file.display())))?;
    Ok(End::new(String::new(), 0))
}
