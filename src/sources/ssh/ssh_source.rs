//! Asks another machine through `ssh`.

use std::path::PathBuf;

use super::address::Address;
use super::answer;
use super::remote_shell::RemoteShell;
use crate::config::TargetSpec;
use crate::model::{DoctorLine, HostSample, PollError, Reading, Sample, TargetId};
use crate::sources::machine_lines::examine;
use crate::sources::one_answer::{examined, one_answer};
use crate::sources::{BoxFuture, Kind, Source};

/// A machine reached by ssh, without an agent.
pub(in crate::sources) const KIND: Kind =
    Kind { name: "ssh", says: "a machine over ssh, nothing installed there", build, doctor };

fn build(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
    Ok(Box::new(SshSource::new(spec)?))
}

/// One machine and the shell that is kept open there.
struct SshSource {
    target: TargetId,
    address: Address,
    /// Host and port as the config names them, without the user.
    place: String,
    config: Option<PathBuf>,
    shell: Option<RemoteShell>,
    /// Nothing is asked that was not answered.
    idle: bool,
}

impl SshSource {
    fn new(spec: &TargetSpec) -> Result<Self, String> {
        let Some(url) = &spec.url else {
            return Err("ssh needs a url: \"ssh://[user@]host[:port]\"".into());
        };
        let address = Address::parse(url.expose())?;
        let rest = address.as_str().trim_start_matches("ssh://");
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place).to_owned();
        let config = spec.ssh_config.clone();
        Ok(Self { target: spec.id.clone(), address, place, config, shell: None, idle: true })
    }

    async fn sample(&mut self) -> Result<HostSample, PollError> {
        if !self.idle {
            // A poll was dropped on the way: what it left behind is of use only while it is still logging in.
            self.shell.take_if(|shell| !shell.is_opening());
        }
        let shell = match &mut self.shell {
            Some(shell) => shell,
            none => none.insert(RemoteShell::open(&self.address, self.config.as_deref(), &self.place)?),
        };
        self.idle = false;
        let said = shell.ask().await;
        self.idle = true;
        if said.is_err() {
            self.shell = None;
        }
        said.map(|text| answer::sample(&text))
    }
}

impl Source for SshSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        one_answer(self.target.clone(), self.sample(), Sample::Host)
    }
}

/// Logs in, polls once and tells every gap with its reason.
fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let source = SshSource::new(spec);
    examined(async move {
        let sample = source?.sample().await.map_err(|error| error.to_string())?;
        Ok(examine(&sample))
    })
}
