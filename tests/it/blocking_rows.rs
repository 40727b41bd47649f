//! Those who queue for one row: they all wait for its holder, and none of them is in another's way.

use warroom::actions::{Action as _, PostgresActions};
use warroom::detect::blocking::Forest;
use warroom::model::{OutcomeKind, Resource};

use crate::postgres::{Client, accounts, backend, poll_until, server, source, spec};
use crate::postgres_actions::{act, line, pile, terminate};
use crate::postgres_detect::{finding, judged};

#[tokio::test]
async fn the_first_of_a_queue_for_a_row_is_not_taken_for_who_holds_the_others_up() {
    let server = server(&[]);
    accounts(&server).await;
    let mut holder = Client::new(&server, "report").await;
    holder.run("begin; update accounts set n = 1 where id = 1").await;
    let pile = pile(&server, 5).await;
    let mut source = source(&spec(&server));
    let event = |one: &warroom::model::Backend| one.wait.as_ref().map(|wait| wait.event.to_string());
    let sample = poll_until(&mut source, "the queue at the row", |sample| {
        let tuple = |one: &&warroom::model::Backend| event(one).as_deref() == Some("tuple");
        let long = sample.backends.iter().filter(|one| one.wait_age.is_some_and(|age| age > 0.5));
        long.count() == 5 && sample.backends.iter().filter(tuple).count() == 4
    })
    .await;
    let first = pile.iter().find(|one| event(backend(&sample, one.pid)).as_deref() == Some("transactionid"));
    let first = backend(&sample, first.unwrap().pid).key;

    let forest = Forest::build(&sample.backends, &sample.prepared);
    assert_eq!(forest.roots.len(), 1);
    assert_eq!((forest.roots[0].waiters, forest.roots[0].frees), (5, 5));
    assert!(forest.rows.iter().filter(|row| row.depth > 0).all(|row| row.depth == 1 && row.frees == 0));
    let told = judged(&Ok(sample), 4);
    let found = finding(&told, Resource::PostgresLocks);
    assert!(found.says.contains("5 wait behind it") && !found.says.contains("through"), "{}", found.says);
    assert_eq!(found.remedy.as_ref().unwrap().says, "end it: frees 5");

    // Nobody is promised what does not come true.
    let actions = PostgresActions::new(&spec(&server));
    let plan = actions.plan(&terminate(&[first])).await.unwrap();
    assert_eq!((plan.frees, &line(&plan, "frees")[..6]), (Some(0), "0 of 4"), "{plan:?}");
    let outcome = act(&actions, plan).await;
    assert_eq!((outcome.kind, outcome.freed), (OutcomeKind::Done, Some(0)), "{outcome:?}");
    assert!(outcome.says.as_str().contains("the rest waits behind report"), "{outcome:?}");
    holder.run("rollback").await;
    let mut ended = 0;
    for one in pile {
        ended += u32::from(one.end().await.1.is_err());
    }
    assert_eq!(ended, 1);
}
