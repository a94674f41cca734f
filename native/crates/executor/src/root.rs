//! The container's root directory, before it is anyone's root: a mount that is attached nowhere.

use std::path::PathBuf;

use serde::Deserialize;

/// What the container sees as `/`: layers and a writable directory on top, or a directory as it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum RootSource {
    /// An overlay; `lower` begins with the topmost layer.
    Overlay {
        lower: Vec<PathBuf>,
        upper: PathBuf,
        work: PathBuf,
        #[serde(default)]
        read_only: bool,
    },
    /// A directory of the host.
    Path { path: PathBuf },
}
