//! The mean wait in a proxy's own queue, from two blunt instruments that check each other.
//!
//! A proxy's `qtime` is an average over its last 512 requests in whole milliseconds: undone over the
//! window it gives the mean of the window's requests, but it freezes with the traffic, leaves out
//! requests that died in the queue, and lingers. The depth counted at each poll gives the wait by
//! Little's law (depth over rate), free of all that, but coarse when few were seen. So the first is
//! kept within what the second allows.

/// Requests over which HAProxy averages.
const AVERAGED: f64 = 512.0;

/// What was seen of one server over the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerWindow {
    /// `qtime` at the window's start and end, ms.
    pub(super) queue_time: (u64, u64),
    /// Requests ever, at the window's start and end.
    pub(super) requests: (u64, u64),
}

impl ServerWindow {
    /// Requests in the window; `None` after a reset.
    pub(super) fn count(&self) -> Option<u64> {
        self.requests.1.checked_sub(self.requests.0)
    }

    /// Mean wait of the window's own requests, ms; `None` without traffic.
    fn mean(&self) -> Option<f64> {
        let count = self.count().filter(|count| *count > 0)? as f64;
        let (before, now) = (self.queue_time.0 as f64, self.queue_time.1 as f64);
        // Steady to the last digit: undoing the average would only magnify its rounding.
        if (now - before).abs() <= 1.0 {
            return Some(now);
        }
        let (first, last) = (self.requests.0 as f64, self.requests.1 as f64);
        let mean = if last <= AVERAGED {
            // So far it is a plain mean over all.
            (now * last - before * first) / count
        } else {
            let kept = (1.0 - 1.0 / AVERAGED).powf(count);
            (now - before * kept) / (1.0 - kept)
        };
        Some(mean.max(0.0))
    }
}

/// Mean wait in the proxy's queue over the window, ms.
///
/// `logged` is the mean of those requests that were told one by one as they ended: exact, and known before
/// all averages, but silent of those that still wait; it too is kept within what the depths allow.
/// `depths` are the depths seen at the polls, `rate` requests a second of the whole backend.
/// `None` when nothing was served, so that no mean exists.
pub(super) fn mean_wait(
    logged: Option<f64>,
    servers: &[ServerWindow],
    depths: &[u64],
    rate: f64,
) -> Option<f64> {
    if rate <= 0.0 || depths.is_empty() {
        return None;
    }
    let seen: f64 = depths.iter().map(|depth| *depth as f64).sum();
    // Milliseconds of mean wait for each request seen waiting.
    let weight = 1e3 / (depths.len() as f64 * rate);
    let served: Vec<(f64, f64)> =
        servers.iter().filter_map(|server| Some((server.mean()?, server.count()? as f64))).collect();
    let count: f64 = served.iter().map(|(_, count)| count).sum();
    let averaged =
        (count > 0.0).then(|| served.iter().map(|(mean, count)| mean * count).sum::<f64>() / count);
    let Some(told) = logged.or(averaged) else { return Some(seen * weight) };
    // What counting can be wrong by: twice its spread, and three unseen where none was seen.
    let spread = 2.0 * seen.sqrt();
    Some(told.clamp((seen - spread).max(0.0) * weight, (seen + spread + 3.0) * weight))
}

/// The longest there was a queue, seconds, by how long ago each look was and the depth it saw, oldest first.
/// `None` where it was there at the first look already, or there were not two.
pub(super) fn longest_queue(looks: &[(f64, u64)]) -> Option<f64> {
    let (&(mut empty, _), later) =
        looks.split_first().filter(|(first, later)| first.1 == 0 && !later.is_empty())?;
    let mut longest: f64 = 0.0;
    for &(ago, depth) in later {
        longest = longest.max(empty - ago);
        if depth == 0 {
            empty = ago;
        }
    }
    Some(longest.max(empty))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(queue_time: (u64, u64), requests: (u64, u64)) -> ServerWindow {
        ServerWindow { queue_time, requests }
    }

    #[test]
    fn a_healthy_queue_stays_under_its_target() {
        let quiet = [server((1, 1), (9_000, 9_400))];
        let one_seen = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        assert!(mean_wait(None, &quiet, &one_seen, 40.0).expect("a mean") < 2.0);
        let rising = [server((0, 1), (9_000, 9_400))];
        assert!(mean_wait(None, &rising, &[0; 10], 40.0).expect("a mean") < 2.0);
    }

    #[test]
    fn a_pile_up_shows_at_once_and_an_all_clear_does_not_linger() {
        // The average has only begun to move, the depth tells.
        let begun = [server((0, 12), (9_000, 9_080))];
        let wait = mean_wait(None, &begun, &[0, 8, 20], 40.0).expect("a mean");
        assert!(wait > 100.0, "{wait}");
        // Nobody waits any more, the average still says 140.
        let over = [server((305, 140), (9_000, 9_400))];
        let wait = mean_wait(None, &over, &[0; 10], 40.0).expect("a mean");
        assert!(wait < 2.0, "{wait}");
    }

    #[test]
    fn a_frozen_average_without_traffic_is_no_wait() {
        assert_eq!(mean_wait(None, &[server((746, 746), (90, 90))], &[0; 10], 0.0), None);
        let other = [server((746, 746), (90, 90)), server((0, 0), (0, 300))];
        assert_eq!(mean_wait(None, &other, &[0; 10], 30.0), Some(0.0));
    }

    #[test]
    fn requests_that_died_in_the_queue_are_counted_by_depth() {
        // Every client waited a second; those that gave up are in no average.
        let dying = [server((600, 600), (9_000, 9_500))];
        let wait = mean_wait(None, &dying, &[50; 10], 50.0).expect("a mean");
        assert!((900.0..1_100.0).contains(&wait), "{wait}");
    }

    #[test]
    fn young_averages_are_plain_means() {
        let young = server((10, 55), (100, 200));
        assert_eq!(young.mean(), Some(100.0));
    }
    #[test]
    fn nobody_waited_longer_than_there_was_a_queue() {
        let seen = |depths: &[u64]| {
            let looks: Vec<_> =
                depths.iter().rev().enumerate().map(|(ago, depth)| (ago as f64, *depth)).rev().collect();
            longest_queue(&looks)
        };
        assert_eq!(seen(&[0, 5, 9, 40]), Some(3.0), "it is still there");
        assert_eq!(seen(&[0, 5, 0, 0, 9, 9, 0, 2]), Some(3.0), "the longest of several");
        assert_eq!(seen(&[3, 0, 0]), None, "older than the looks");
        assert_eq!((seen(&[]), seen(&[0])), (None, None));
    }
}
