//! This machine, by /proc, sysinfo and the kernel's socket diagnostics. Linux only.
//!
//! Knows how to read what the kernel tells; must not know limits, verdicts or other targets.

mod accept_queues;
mod diag;
mod doctor;
mod filesystems;
mod host_source;
mod netlink;
mod path_tally;
mod proc_files;
mod programs;
mod tally;

pub use host_source::{HostSource, KIND};
