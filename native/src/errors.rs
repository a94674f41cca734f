//! One conversion from what the crates report to the exceptions Python declares.
use pyo3::import_exception;
use pyo3::PyErr;

import_exception!(drayman.errors, Conflict);
import_exception!(drayman.errors, InvalidParameter);
import_exception!(drayman.errors, NotFound);
import_exception!(drayman.errors, System);

/// The kinds of `drayman.errors` that native code can raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    NotFound,
    InvalidParameter,
    Conflict,
    System,
}

/// Make the Python exception of a kind, with the text a client will read.
pub(crate) fn raise(kind: Kind, message: impl std::fmt::Display) -> PyErr {
    let message = message.to_string();
    match kind {
        Kind::NotFound => NotFound::new_err(message),
        Kind::InvalidParameter => InvalidParameter::new_err(message),
        Kind::Conflict => Conflict::new_err(message),
        Kind::System => System::new_err(message),
    }
}
