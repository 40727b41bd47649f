//! Settings: built-in < file < environment < flag. Knows the model; every error says file, line, key and why.

mod address;
mod application;
mod discover;
mod document;
mod error;
mod file_text;
mod haproxy_keys;
mod load;
mod metrics_map;
mod sentinel;
mod show;
mod spec;
mod statement;
mod target;
mod thresholds;
mod thresholds_file;
mod tls;
mod token;

pub use application::ApplicationPattern;
pub use discover::{Surroundings, discover, discover_in};
pub use document::{parse_duration, say_duration};
pub use error::{ConfigError, Fault};
pub use load::{Flags, Known, find, load, read, without_file};
pub use show::Setting;
pub use spec::{Config, ConfirmRule, Environment, LabSettings, NotifySettings, Secret, TargetSpec};
pub use thresholds::{Limits, Thresholds};
pub use tls::TlsFiles;
