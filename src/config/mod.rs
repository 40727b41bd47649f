//! Settings: built-in < file < environment < flag. Knows the model; every error says file, line, key and why.

mod spec;
mod thresholds;

pub use spec::{Config, ConfirmRule, Environment, LabSettings, NotifySettings, Secret, TargetSpec};
pub use thresholds::{Limits, Thresholds};
