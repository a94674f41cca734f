//! What a container changed, read off the upper directory of its overlay.
//!
//! The cost follows the changes, not the image: only names in the upper directory are looked
//! up in the layers below. The answer is that of a walk through both whole trees, which the
//! tests do beside it.
mod attributes;
mod change;
mod compare;
mod document;
mod error;
mod layer;
mod marks;
mod merged;
mod share;
mod size;
mod walk;

pub use change::{Change, Facts, Kind, Question};
pub use document::document;
pub use error::Error;
pub use marks::Marks;
pub use size::tree_size_bytes;
pub use walk::{changes, changes_between};
