//! Real servers on loopback that are broken on purpose: for trying the console, for drills and for the tests.
//! Knows config and model; must not know sources, actions, store or screen: what the lab breaks, the
//! product has to find out by itself.

mod error;
mod folder;
pub mod haproxy;
mod ports;
pub mod postgres;
mod process;
pub mod redis;
mod user;

pub use error::LabError;
pub use folder::Folder;
pub use ports::free_port;
pub use process::{Process, ProcessRecord};
