//! Wide trees looked through by several threads: most of the time goes into the kernel, which
//! fetches one inode after the other from memory.
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread::{available_parallelism, scope, Builder};

/// So many directories are worth starting threads for.
pub(crate) const CROWD: usize = 32;

/// Beyond a few, threads wait for each other in the kernel.
const THREADS_MAX: usize = 4;

/// Do a work in several threads, this one included; each is given what hands out tasks until
/// there are no more. What each of them made of it, in no order.
pub(crate) fn share<T: Send, R: Send>(
    tasks: Vec<T>,
    work: impl Fn(&dyn Fn() -> Option<T>) -> R + Sync,
) -> Vec<R> {
    let others = if tasks.is_empty() { 0 } else { threads() - 1 };
    let tasks = Mutex::new(tasks);
    let take = || tasks.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = || work(&take);
    scope(|scope| {
        // Where no thread can be had, fewer do the same.
        let others: Vec<_> = (0..others)
            .map_while(|_| Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut done = vec![work()];
        for other in others {
            done.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    })
}

fn threads() -> usize {
    available_parallelism()
        .map_or(1, NonZero::get)
        .min(THREADS_MAX)
}
