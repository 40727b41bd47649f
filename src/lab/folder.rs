//! Private folders that vanish with their owner.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::LabError;
use super::user::server_user;

/// A private folder of one server or one lab; dropping it removes it with all that is in it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes a new folder with a name of its own in the system's temporary folder.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn temporary(name: &str) -> Result<Self, LabError> {
        let parent = std::env::temp_dir();
        let pid = std::process::id();
        for n in 0..10_000 {
            let path = parent.join(format!("warroom-{name}-{pid}-{n}"));
            match create(&path) {
                Err(LabError::File { why, .. }) if why.kind() == ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self { path }),
            }
        }
        Err(LabError::Refused(format!("ten thousand lab folders in {}: remove them", parent.display())))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).ok();
    }
}

/// Nobody else may look inside; as root, the servers' own group may pass through.
pub(super) fn create(path: &Path) -> Result<(), LabError> {
    let user = server_user();
    let mode = if user.is_some() { 0o710 } else { 0o700 };
    DirBuilder::new().mode(mode).create(path).map_err(LabError::file("create", path))?;
    if let Some(user) = user {
        std::os::unix::fs::chown(path, None, Some(user.gid)).map_err(LabError::file("hand over", path))?;
    }
    Ok(())
}
