//! From the config to an empty store and a judge with its limits.

use crate::config::{Config, TargetSpec};
use crate::detect::Judge;
use crate::store::{Store, TargetInfo};

/// What the store must know of a target.
pub fn info(spec: &TargetSpec) -> TargetInfo {
    TargetInfo {
        id: spec.id.clone(),
        kind: spec.kind.clone(),
        endpoint: spec.endpoint(),
        every: spec.every,
        timeout: spec.timeout,
        slow_after: spec.slow_after,
        // There the group is the name of a label, and each machine tells its own.
        group: if spec.kind == "prometheus_hosts" {
            String::new()
        } else {
            spec.group.clone().unwrap_or_default()
        },
    }
}

/// A store that has heard of every target and from none.
pub fn store(config: &Config) -> Store {
    Store::new(config.targets.iter().map(info))
}

/// A judge with the limits of the config.
pub fn judge(config: &Config) -> Judge {
    let own = config.targets.iter().map(|spec| (spec.id.clone(), spec.thresholds.clone()));
    Judge::new(config.thresholds.clone(), own)
}

/// The names a config may use.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Kinds of target.
    pub kinds: Vec<&'static str>,
    /// Commands a key can be bound to.
    pub commands: Vec<&'static str>,
    /// Themes.
    pub themes: Vec<&'static str>,
}

/// What is wrong with the keys of a config, if anything is: then the usual keys hold.
pub fn wrong_key(config: &Config) -> Option<String> {
    let why = crate::app::Keymap::new(&config.keys).err()?;
    Some(format!("{why}; the usual keys hold"))
}

/// The names a config may use, from the tables that own them.
pub fn known() -> Names {
    Names {
        kinds: crate::sources::KINDS.iter().map(|kind| kind.name).collect(),
        commands: crate::app::COMMANDS.iter().map(|info| info.name).collect(),
        themes: crate::view::Theme::names().collect(),
    }
}
