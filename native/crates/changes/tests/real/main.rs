//! The walk through an upper directory against a walk through both trees, on overlays that
//! the kernel made. Needs root.
mod between;
mod cases;
mod deeds;
mod naive;
mod overlay;

use std::path::PathBuf;

use deeds::{attempt, deed, Deed};
use drayman_changes::{changes, Change, Marks, Question};
use overlay::{Options, Overlay, Scratch};
use proptest::prelude::*;
use std::os::unix::ffi::OsStringExt;

/// Layers made one over the other by deeds (the first list fills the lowest one), then the
/// answers of both walks for the last.
fn both(histories: &[Vec<Deed>], options: Options) -> (Vec<Change>, Vec<Change>) {
    let scratch = Scratch::new();
    // Two lower ones at least: the kernel wants as many where there is no upper one.
    let mut lower = vec![scratch.directory("bottom")];
    lower.insert(0, scratch.directory("base"));
    for (number, deeds) in histories.iter().enumerate() {
        let upper = scratch.directory(&format!("upper{number}"));
        let work = scratch.directory(&format!("work{number}"));
        let merged = Overlay::mount(&lower, Some((&upper, &work)), options);
        for deed in deeds {
            let _ = attempt(&merged.root, deed);
        }
        if number + 1 == histories.len() {
            let old = Overlay::mount(&lower, None, options);
            let expected = naive::changes(&old.root, &merged.root);
            let lower: Vec<Vec<u8>> = lower.into_iter().map(bytes).collect();
            let found =
                changes(&bytes(upper), &lower, Marks::Trusted, Question::default()).unwrap();
            return (found, expected);
        }
        drop(merged);
        lower.insert(0, upper);
    }
    unreachable!("no history")
}

fn bytes(path: PathBuf) -> Vec<u8> {
    path.into_os_string().into_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_walk_through_both_trees(
        histories in proptest::collection::vec(proptest::collection::vec(deed(), 0..24), 1..5),
        redirect: bool,
        metacopy: bool,
    ) {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let (found, expected) = both(&histories, Options { redirect, metacopy });
        prop_assert_eq!(found, expected);
    }
}
