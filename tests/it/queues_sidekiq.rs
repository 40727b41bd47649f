//! Sidekiq's queues as the library itself writes them, held against what it answers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use warroom::lab;
use warroom::model::QueueSample;

use super::queues::{dying, queue, queues};
use super::redis::{source, spec};

const JOBS: &str = r"
require 'sidekiq'
require 'sidekiq/api'
class Mail
  include Sidekiq::Worker
  sidekiq_options queue: 'mail'
  def perform(seconds); sleep seconds; end
end
class Import
  include Sidekiq::Worker
  sidekiq_options queue: 'mail', retry: 25
  sidekiq_retry_in { 1 }
  def perform(_); raise ArgumentError, 'of a@b.c'; end
end
class Fatal
  include Sidekiq::Worker
  sidekiq_options queue: 'mail', retry: 0
  def perform; raise 'no'; end
end
";

/// A program that knows the jobs and speaks to this server.
fn ruby(url: &str, program: &str) -> String {
    let mut command = Command::new("ruby");
    command.arg("-W0").arg("-e").arg(format!("{JOBS}{program}")).env("REDIS_URL", url);
    let out =
        command.output().unwrap_or_else(|error| panic!("ruby: {error}; scripts/packages test installs it"));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// A real process of workers, ended with the test.
struct Workers(Child, std::path::PathBuf);

impl Workers {
    fn start(url: &str) -> Self {
        let file = std::env::temp_dir().join(format!("warroom-sidekiq-{}.rb", std::process::id()));
        // How often it looks at jobs to be tried again depends on chance and on this.
        let often = "Sidekiq.configure_server do |it|
            (it.respond_to?(:[]=) ? it : it.options)[:poll_interval_average] = 1
        end";
        std::fs::write(&file, format!("{JOBS}\n{often}\n")).unwrap();
        let mut command = Command::new("sidekiq");
        command.arg("-r").arg(&file).args(["-q", "mail", "-c", "2", "-t", "1"]).env("REDIS_URL", url);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(
            child.unwrap_or_else(|error| panic!("sidekiq: {error}; scripts/packages test installs it")),
            file,
        )
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
        std::fs::remove_file(&self.1).ok();
    }
}

#[tokio::test]
async fn sidekiq_as_its_own_library_writes_it() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(0);
    ruby(
        &url,
        "3.times { Mail.perform_async(0) }; Mail.perform_in(600, 1)
Sidekiq::Client.push('class' => 'Mail', 'args' => [1], 'queue' => 'bulk')",
    );
    let mut asked = source(&spec("sidekiq", &url));
    let before = queues(&mut asked).await;
    let (mail, bulk) = (queue(&before, "mail"), queue(&before, "bulk"));
    assert_eq!((mail.depth, mail.workers, bulk.depth, before.shared.scheduled), (3, Some(0), 1, Some(1)));
    let told = ruby(&url, "puts Sidekiq::Queue.new('mail').latency");
    let (latency, ours): (f64, f64) = (told.trim().parse().unwrap(), mail.oldest.seconds().unwrap());
    assert!(ours <= latency && latency - ours < 30.0, "{ours} of {latency}");

    ruby(&url, "Import.perform_async('secret'); Fatal.perform_async; Mail.perform_async(600)");
    let _workers = Workers::start(&url);
    let seen = |sample: &QueueSample| {
        let mail = queue(sample, "mail");
        let again = mail.returning.as_ref().and_then(|job| job.tries) >= Some(3);
        again && mail.busy >= Some(1) && sample.shared.dead == Some(1) && !sample.shared.dying.is_empty()
    };
    let began = Instant::now();
    let sample = loop {
        let sample = queues(&mut asked).await;
        if seen(&sample) {
            break sample;
        }
        assert!(began.elapsed() < Duration::from_secs(240), "never at work and failing: {sample:?}");
        sleep(Duration::from_millis(200)).await;
    };
    let mail = queue(&sample, "mail");
    assert_eq!(
        (mail.depth, mail.workers, mail.stale_workers, sample.workers),
        (0, Some(2), Some(0), Some(2))
    );
    assert_eq!(mail.returning.as_ref().unwrap().name.as_str(), "Import");
    let longest = mail.longest.as_ref().unwrap();
    assert!(longest.name.as_str() == "Mail" && longest.running.is_some(), "{longest:?}");
    assert_eq!(dying(&sample.shared.dying), ["1 Fatal RuntimeError"]);
    // The library's own count of the jobs it holds.
    let told = ruby(
        &url,
        "s = Sidekiq::Stats.new; puts [s.dead_size, s.scheduled_size, s.workers_size > 0].join(' ')",
    );
    assert_eq!(told.trim(), "1 1 true");
}
