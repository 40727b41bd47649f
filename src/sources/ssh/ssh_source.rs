//! Asks another machine through `ssh`.

use std::path::PathBuf;

use tokio::time::Instant;

use super::address::Address;
use super::answer;
use super::remote_shell::RemoteShell;
use crate::config::TargetSpec;
use crate::model::{DoctorLine, HostSample, Millis, PollError, Reading, Sample, Severity, TargetId};
use crate::sources::machine_lines::examine;
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
        Box::pin(async {
            let began = Instant::now();
            let sample = self.sample().await.map(|sample| Sample::Host(Box::new(sample)));
            vec![Reading { target: self.target.clone(), took: Millis::from(began.elapsed()), sample }]
        })
    }
}

/// Logs in, polls once and tells every gap with its reason.
fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let source = SshSource::new(spec);
    Box::pin(async move {
        let failed = |why: &str| vec![DoctorLine::lacking(Severity::Critical, why, "")];
        match source {
            Ok(mut source) => match source.sample().await {
                Ok(sample) => examine(&sample),
                Err(error) => failed(&error.to_string()),
            },
            Err(why) => failed(&why),
        }
    })
}
