//! How full the file systems are, and which devices are whole disks: asked seldom, and never waited for.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{StatVfsMountFlags, statvfs};
use sysinfo::{DiskRefreshKind, Disks};
use tokio::sync::oneshot;

use crate::model::{Filesystem, SafeText};

/// Polls from one look to the next.
const EVERY: u32 = 15;
/// How long the poll that begins a look waits for it; later ones only ask whether it is back.
const PATIENCE: Duration = Duration::from_millis(100);
/// Most file systems told of.
const MOST: usize = 64;

/// The slow part of a host sample, kept from poll to poll.
#[derive(Default)]
pub(super) struct Filesystems {
    known: Option<Look>,
    /// A look under way. While it has not come back no other is begun: a dead mount costs one thread.
    pending: Option<oneshot::Receiver<Look>>,
    until_next: u32,
}

/// What one look saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    pub(super) filesystems: Vec<Filesystem>,
    pub(super) left_out: usize,
    /// Names of whole disks; `None` when /sys does not tell.
    pub(super) disks: Option<BTreeSet<String>>,
}

impl Filesystems {
    /// The latest look; starts a new one when it is due. The second value says what is wrong with it.
    pub(super) async fn get(&mut self) -> (Option<&Look>, Option<&'static str>) {
        let mut patience = Duration::ZERO;
        if self.pending.is_none() && self.until_next == 0 {
            let (send, receive) = oneshot::channel();
            // A thread of its own, not the runtime's: one that hangs in a dead mount must not hold up the exit.
            let thread = std::thread::Builder::new().name("filesystems".into());
            if thread.spawn(move || send.send(look()).ok()).is_ok() {
                self.pending = Some(receive);
                patience = PATIENCE;
            }
            self.until_next = EVERY;
        }
        self.until_next = self.until_next.saturating_sub(1);
        let mut late = None;
        if let Some(pending) = &mut self.pending {
            match tokio::time::timeout(patience, pending).await {
                Ok(Ok(look)) => (self.known, self.pending) = (Some(look), None),
                Ok(Err(_)) => self.pending = None,
                Err(_) => late = Some("the look at the mounts has not come back: one of them may be dead"),
            }
        }
        (self.known.as_ref(), late)
    }
}

/// Looks now; may hang on a dead mount.
fn look() -> Look {
    let mut seen = BTreeSet::new();
    let mut filesystems: Vec<Filesystem> =
        Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing())
            .map(|disks| {
                disks
                    .iter()
                    // A bind mount shows the same device again.
                    .filter(|disk| seen.insert(disk.name().to_owned()))
                    .filter_map(|disk| measure(disk.mount_point()))
                    .collect()
            })
            .unwrap_or_default();
    let left_out = filesystems.len().saturating_sub(MOST);
    filesystems.truncate(MOST);
    Look { filesystems, left_out, disks: whole_disks() }
}

/// Asked here and not of sysinfo, which counts the blocks reserved for root as used: that would
/// call a disk 5 % fuller than `df` does. A file system nobody can write to cannot fill.
fn measure(mount: &Path) -> Option<Filesystem> {
    let stat = statvfs(mount).ok()?;
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) || stat.f_blocks == 0 {
        return None;
    }
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    Some(Filesystem {
        mount: SafeText::new(&mount.to_string_lossy()),
        total: used.saturating_add(stat.f_bavail).saturating_mul(stat.f_frsize),
        available: stat.f_bavail.saturating_mul(stat.f_frsize),
    })
}

/// Block devices that are hardware (or the hypervisor's): no partitions, loops, RAM or mapped devices.
fn whole_disks() -> Option<BTreeSet<String>> {
    let names = std::fs::read_dir("/sys/block").ok()?;
    let real = names.flatten().filter(|entry| {
        std::fs::read_link(entry.path()).is_ok_and(|to| !to.to_string_lossy().contains("/virtual/"))
    });
    Some(real.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}
