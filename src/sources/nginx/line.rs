//! One line of an access log in our format. Pure.

/// One try at one server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Try<'l> {
    /// `10.0.0.1:8080`, `unix:/run/app.sock`, or the name of an upstream of which no server was left.
    pub(super) address: &'l str,
    pub(super) status: Option<u16>,
    /// Seconds until it was connected.
    pub(super) connect: Option<f64>,
    /// Seconds until the first byte of its answer.
    pub(super) header: Option<f64>,
}

/// One request that was passed on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line<'l> {
    /// The upstream's name, or the host and port that requests are passed on to.
    pub(super) upstream: &'l str,
    pub(super) status: u16,
    pub(super) tries: Vec<Try<'l>>,
}

/// What one line holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Read<'l> {
    /// A request that was passed on.
    Passed(Line<'l>),
    /// A request that nginx answered by itself.
    Own,
    /// A line of another format.
    Foreign,
}

/// Parses a line of tab-separated `name=value`.
pub(super) fn parse(line: &str) -> Read<'_> {
    let mut found = [""; 6];
    for field in line.split('\t') {
        let Some((name, value)) = field.split_once('=') else { continue };
        let names = ["upstream", "addr", "status", "ustatus", "uct", "uht"];
        if let Some(at) = names.iter().position(|known| *known == name) {
            found[at] = value;
        }
    }
    let [upstream, addresses, status, statuses, connects, headers] = found;
    let Ok(status) = status.parse() else { return Read::Foreign };
    if addresses.is_empty() || addresses == "-" {
        return Read::Own;
    }
    let mut statuses = each(statuses);
    let mut connects = each(connects);
    let mut headers = each(headers);
    let tries = each(addresses)
        .map(|address| Try {
            address,
            status: statuses.next().and_then(|it| it.parse().ok()),
            connect: connects.next().and_then(seconds),
            header: headers.next().and_then(seconds),
        })
        .collect();
    Read::Passed(Line { upstream, status, tries })
}

/// The parts of a list: `, ` stands between tries, ` : ` where a request was passed on once more.
fn each(list: &str) -> impl Iterator<Item = &str> {
    list.split(", ").flat_map(|part| part.split(" : ")).map(str::trim)
}

fn seconds(text: &str) -> Option<f64> {
    text.parse().ok().filter(|seconds: &f64| (0.0..1e6).contains(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    #[test]
    fn a_request_tried_twice_has_two_tries() {
        let line = "upstream=app\taddr=127.0.0.1:81, [::1]:82 : unix:/run/a.sock\tstatus=200\tustatus=502, 504 : 200\t\
                    rt=0.120\tuct=-, 0.001 : 0.002\tuht=-, - : 0.118";
        let Read::Passed(read) = parse(line) else { panic!("passed on") };
        assert_eq!((read.upstream, read.status), ("app", 200));
        let tries: Vec<_> = read.tries.iter().map(|it| (it.address, it.status, it.header)).collect();
        let wanted = [
            ("127.0.0.1:81", Some(502), None),
            ("[::1]:82", Some(504), None),
            ("unix:/run/a.sock", Some(200), Some(0.118)),
        ];
        assert_eq!(tries, wanted);
        assert_eq!(read.tries[0].connect, None);
    }

    #[test]
    fn what_nginx_answers_itself_and_other_formats_are_told_apart() {
        assert_eq!(parse("upstream=-\taddr=-\tstatus=404\tustatus=-"), Read::Own);
        assert_eq!(parse("127.0.0.1 - - [21/Nov/2026:08:40:29] \"GET / HTTP/1.1\" 200 2"), Read::Foreign);
    }

    #[test]
    fn torn_lines_are_read_or_passed_over() {
        let line = "upstream=app\taddr=127.0.0.1:81, [::1]:82 : unix:/run/a.sock\tstatus=200\tustatus=502, 504 : 200\t\
                    rt=0.120\tuct=-, 0.001 : 0.002\tuht=-, - : 0.118";
        each_torn_text(line, |torn| drop(parse(torn)));
    }
}
