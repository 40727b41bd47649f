//! Laravel's queues as the framework's own packages write them (version 8, as Debian has it), held against what
//! they answer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use warroom::lab;
use warroom::model::{QueueAge, QueueSample};

use super::queues::{queue, queues};
use super::redis::{source, spec};

/// An application without its web half: a container, its Redis, its queues and one job.
const APP: &str = r#"
error_reporting(E_ALL & ~E_DEPRECATED);
foreach (['Container', 'Events', 'Queue', 'Redis', 'Bus'] as $part) require_once "Illuminate/$part/autoload.php";
require_once 'Predis/Autoloader.php';
Predis\Autoloader::register();
class SendMail implements Illuminate\Contracts\Queue\ShouldQueue {
    use Illuminate\Bus\Queueable;
    public $how;
    function __construct($how) { $this->how = $how; }
    function handle() {
        if ($this->how === 'bad') throw new RuntimeException('of a@b.c');
        if ($this->how === 'slow') sleep(600);
    }
}
class Silent implements Illuminate\Contracts\Debug\ExceptionHandler {
    function report(Throwable $e) {}
    function shouldReport(Throwable $e) { return false; }
    function render($request, Throwable $e) {}
    function renderForConsole($output, Throwable $e) {}
}
$app = new Illuminate\Container\Container;
Illuminate\Container\Container::setInstance($app);
$app->instance(Illuminate\Contracts\Container\Container::class, $app);
$at = parse_url(getenv('URL'));
$server = ['host' => $at['host'], 'port' => $at['port'], 'database' => (int) trim($at['path'], '/')];
$redis = ['options' => ['prefix' => 'shop_database_'], 'default' => $server];
$app->instance('redis', new Illuminate\Redis\RedisManager($app, 'predis', $redis));
$events = new Illuminate\Events\Dispatcher($app);
$app->instance('events', $events);
$app->singleton(Illuminate\Contracts\Bus\Dispatcher::class, fn ($app) => new Illuminate\Bus\Dispatcher($app));
$capsule = new Illuminate\Queue\Capsule\Manager($app);
$capsule->addConnection(['driver' => 'redis', 'connection' => 'default', 'queue' => 'default', 'retry_after' => 900]);
$queues = $capsule->getConnection();
function work($name, $times) {
    global $capsule, $events;
    $worker = new Illuminate\Queue\Worker($capsule->getQueueManager(), $events, new Silent, fn () => false);
    // Tried again at once, as often as it takes.
    $options = new Illuminate\Queue\WorkerOptions('default', 0, 128, 900, 0, 50);
    while ($times--) $worker->runNextJob('default', $name, $options);
}
"#;

fn php(url: &str, program: &str) -> Command {
    let mut command = Command::new("php");
    command.arg("-d").arg("include_path=/usr/share/php").arg("-r").arg(format!("{APP}{program}"));
    command.env("URL", url);
    command
}

fn run(url: &str, program: &str) -> String {
    let out = php(url, program).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}; scripts/packages test installs what is missing");
    String::from_utf8(out.stdout).unwrap()
}

/// Ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn laravel_as_its_own_packages_write_it() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(3);
    run(
        &url,
        "foreach ([1, 2, 3] as $n) $queues->push(new SendMail($n), '', 'mail');
        $queues->later(600, new SendMail('later'), '', 'mail');
        $queues->push(new SendMail('bad'), '', 'bulk');
        work('mail', 1); work('bulk', 7);",
    );
    let mut asked = source(&spec("laravel", &url));
    queues(&mut asked).await;
    let sample = queues(&mut asked).await;
    let (mail, bulk) = (queue(&sample, "mail"), queue(&sample, "bulk"));
    assert_eq!((mail.depth, mail.in_flight, mail.scheduled), (2, Some(0), Some(1)));
    assert!(matches!(mail.oldest, QueueAge::AtLeast(_)), "this version writes no time: {mail:?}");
    let returning = bulk.returning.as_ref().unwrap_or_else(|| panic!("{bulk:?}"));
    assert_eq!((returning.name.as_str(), returning.tries), ("SendMail", Some(7)));

    run(
        &url,
        "while ($job = $queues->pop('mail')) $job->delete(); $queues->push(new SendMail('slow'), '', 'mail');",
    );
    let worker = php(&url, "work('mail', 1);").stdout(Stdio::null()).spawn().unwrap();
    let _worker = Ended(worker);
    let taken = |sample: &QueueSample| queue(sample, "mail").in_flight == Some(1);
    let began = Instant::now();
    let mut sample = queues(&mut asked).await;
    while !taken(&sample) {
        assert!(began.elapsed() < Duration::from_secs(120), "never taken: {sample:?}");
        sleep(Duration::from_millis(100)).await;
        sample = queues(&mut asked).await;
    }
    for name in ["mail", "bulk"] {
        let it = queue(&sample, name);
        let ours = it.depth + it.in_flight.unwrap() + it.scheduled.unwrap();
        let told = run(&url, &format!("echo $queues->size('{name}');"));
        assert_eq!(told.trim(), ours.to_string(), "{name}: {it:?}");
    }
}
