//! What is known now: the latest sample of each target, its recent course with gaps, and the rates
//! between samples. Knows the model only; judges nothing and reads no clock.

mod counter;
mod freshness;
mod noticed;
mod rates;
mod reloaded;
mod ring;
mod series;
mod state;
mod target;

pub use counter::{grown, per_second, share};
pub use freshness::Freshness;
pub use noticed::noticed;
pub use rates::{
    AppRates, CacheRates, CommandRate, CpuShares, DatabaseRates, DiskRate, HostRates, PoolerRates,
    PressureShares, ProxyRates, QueueRates, Rates, RowRates,
};
pub use ring::Ring;
pub use series::{Metric, Series};
pub use state::Store;
pub use target::{Target, TargetInfo, TargetState};
