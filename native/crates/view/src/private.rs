//! A thread that can change its own view of the file system and is gone afterwards.
use crate::Error;

/// Run a task on a thread of its own and hand its result back. The task may leave the
/// process's namespaces; nothing else is touched, since the thread ends with the task.
pub(crate) fn on_own_thread<T: Send>(
    task: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("drayman-view".into())
            .spawn_scoped(scope, task)
            .map_err(|error| {
                let errno = rustix::io::Errno::from_io_error(&error);
                Error::system("start a thread", errno.unwrap_or(rustix::io::Errno::AGAIN))
            })?
            .join()
            .unwrap_or_else(|_| Err(Error::Invalid("a view's thread panicked".into())))
    })
}
