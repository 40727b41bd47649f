//! What a control app wants to be told before it answers.

use super::document::{Document, Section};
use super::target::{Context, resolve};
use super::{Secret, TargetSpec};

/// A token is never written into the file itself; one that cannot be had breaks its target, not the file.
pub(super) fn token(
    doc: &mut Document<'_>,
    at: &Section<'_, '_>,
    context: &Context<'_>,
    spec: &mut TargetSpec,
) {
    let found = if let Some((name, _)) = doc.text(at, "token_env") {
        let found = (context.env)(&name).filter(|token| !token.is_empty());
        found.ok_or_else(|| format!("${name} (token_env) is not set"))
    } else if let Some((path, _)) = doc.text(at, "token_file") {
        let path = resolve(context, &path);
        let found = std::fs::read_to_string(&path).map(|text| text.trim().to_owned());
        found.map_err(|err| format!("{} (token_file) cannot be read: {err}", path.display()))
    } else {
        return;
    };
    match found {
        Ok(token) => spec.token = Some(Secret::new(&token)),
        Err(why) => spec.broken = Some(why),
    }
}
