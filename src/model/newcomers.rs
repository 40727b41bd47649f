//! Sessions that began lately.

use serde::{Deserialize, Serialize};

use super::SafeText;

/// Sessions of one sort that were seen to begin in about the last fifteen seconds. Those that came and went
/// between two polls are not among them: they tell whose logins these are, not how many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Newcomers {
    /// The kind of process.
    pub application: SafeText,
    /// The role they logged in as.
    pub user: SafeText,
    /// Their address; empty for a local socket.
    pub client: SafeText,
    /// How many were seen.
    pub seen: u32,
}

impl Newcomers {
    /// `cron as app from 10.0.0.7`.
    #[must_use]
    pub fn who(&self) -> String {
        let from = if self.client.is_empty() { "a local socket" } else { self.client.as_str() };
        if self.application == self.user {
            format!("{} from {from}", self.user)
        } else {
            format!("{} as {} from {from}", self.application, self.user)
        }
    }
}
