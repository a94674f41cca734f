//! Real containers, as root: what a process in one sees, what stops it, and what is left after it.
//!
//! Its own harness, since containers may only be started by a process of one thread. `cargo test --test containers NAME`
//! runs those whose name contains NAME. Without root nothing is run, and that is said.

mod commands;
mod execs;
mod hostile;
mod limits;
mod mounts;
mod sandbox;
mod unified;
mod views;

type Case = (&'static str, fn());

fn main() {
    let wanted = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))
        .unwrap_or_default();
    if !sandbox::is_possible() {
        println!("containers: skipped, as they need root, a static busybox and cgroup v1");
        return;
    }
    drayman_executor::protect::seal_self().expect("the binary runs sealed");
    let tables: [&[Case]; 7] = [
        commands::CASES,
        views::CASES,
        mounts::CASES,
        execs::CASES,
        limits::CASES,
        hostile::CASES,
        unified::CASES,
    ];
    let mut failed = Vec::new();
    for (name, case) in tables
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.contains(&wanted))
    {
        // Longer than any case takes on a busy machine; the default action ends the run.
        // SAFETY: no memory is involved.
        unsafe { libc::alarm(60) };
        let passed = std::panic::catch_unwind(*case).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        if !passed {
            failed.push(name);
        }
    }
    if let Some(left) = sandbox::leftovers() {
        println!("left behind: {left}");
        failed.push(&"leftovers");
    }
    if !failed.is_empty() {
        println!("failed: {failed:?}");
        std::process::exit(1);
    }
}
