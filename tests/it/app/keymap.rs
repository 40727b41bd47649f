//! The table of commands: names, keys, rebindings.

use std::collections::BTreeSet;

use warroom::app::{COMMANDS, Chord, Command, Keymap, Overlay, Settings, hints};

use super::bench::{Bench, plans};

fn rebound(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(name, key)| ((*name).to_owned(), (*key).to_owned())).collect()
}

#[test]
fn every_command_has_a_name_and_a_sentence_of_its_own_and_no_two_share_a_key() {
    let names: BTreeSet<_> = COMMANDS.iter().map(|info| info.name).collect();
    let commands: BTreeSet<_> = COMMANDS.iter().map(|info| info.command).collect();
    assert_eq!((names.len(), commands.len()), (COMMANDS.len(), COMMANDS.len()));
    assert!(COMMANDS.iter().all(|info| !info.says.is_empty()));
    Keymap::new(&[]).expect("no two commands share a key");
}

#[test]
fn the_keys_that_were_promised_are_all_there() {
    let keymap = Keymap::new(&[]).expect("the table is sound");
    // There are seven panes; 8 and 9 are kept free for more.
    let promised = "? q 1 2 3 4 5 6 7 tab up down left right h j k l enter z esc / s : space p \
                    [ ] @ L x F K C X M E A r ctrl-l";
    for key in promised.split_whitespace() {
        let chord: Chord = key.parse().expect("a chord");
        assert!(keymap.command(chord).is_some(), "{key} does nothing");
    }
}

#[test]
fn a_rebinding_is_one_line_and_a_wrong_one_names_both() {
    let keymap = Keymap::new(&rebound(&[("fix", "ctrl-f")])).expect("a free key");
    assert_eq!(keymap.command(Chord::ctrl('f')), Some(Command::Fix));
    assert_eq!(keymap.command(Chord::char('F')), None);
    let says = |all: &[(&str, &str)]| Keymap::new(&rebound(all)).expect_err("wrong").to_string();
    let taken = says(&[("fix", "K")]);
    assert!(taken.contains("fix") && taken.contains("terminate") && taken.contains('K'), "{taken}");
    let unknown = says(&[("fixx", "F")]);
    assert!(unknown.contains("fixx") && unknown.contains("\"fix\""), "{unknown}");
    assert!(says(&[("fix", "hyper-f")]).contains("hyper-f"));
    // Two commands may change places.
    Keymap::new(&rebound(&[("fix", "K"), ("terminate", "F")])).expect("a swap");
}

#[test]
fn a_rebound_key_works_and_a_wrong_rebinding_is_told_while_the_usual_keys_hold() {
    let mut bench =
        Bench::with(Settings { keys: rebound(&[("terminate", "ctrl-k")]), ..Settings::default() });
    assert_eq!(plans(&bench.press("K")), 0);
    assert_eq!(plans(&bench.press("ctrl-k")), 1);
    let mut bench = Bench::with(Settings { keys: rebound(&[("terminate", "F")]), ..Settings::default() });
    assert!(bench.notice().contains("the usual keys hold"), "{}", bench.notice());
    assert_eq!(plans(&bench.press("K")), 1);
}

#[test]
fn the_keymap_file_holds_every_command() {
    let file = Keymap::new(&[]).expect("the table is sound").file();
    for info in COMMANDS {
        assert!(file.contains(&format!("# {} = ", info.name)), "{} is not in the file", info.name);
    }
    let as_set: String = file
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.contains(" = "))
        .fold(String::new(), |all, line| all + line + "\n");
    assert!(as_set.lines().count() >= COMMANDS.len());
}

#[test]
fn the_bottom_line_is_about_this_place() {
    let mut bench = Bench::new();
    let commands = |bench: &Bench| hints(&bench.app).into_iter().map(|hint| hint.command).collect::<Vec<_>>();
    assert_eq!(commands(&bench)[0], Command::Fix);
    bench.press("2 2");
    assert_eq!(commands(&bench)[..2], [Command::Terminate, Command::Cancel]);
    bench.press("p");
    let all = hints(&bench.app);
    let terminate = all.iter().find(|hint| hint.command == Command::Terminate).expect("it stays");
    assert!(terminate.why_not.as_ref().is_some_and(|why| why.contains("past")));
    bench.press("?");
    assert!(matches!(bench.app.overlay, Some(Overlay::Help)));
}
