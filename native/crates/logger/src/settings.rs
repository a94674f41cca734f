//! What `shim.json` says of where records are sent.

use std::path::Path;

use drayman_logdrivers::Settings;
use drayman_stdio::LogFile;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Delivery {
    /// None: the file of the log.
    pub receiver: Option<Settings>,
    /// For what is told of it, and in the names of long lines.
    pub container_id: String,
    /// Records of so many bytes may wait for the receiver.
    pub queue_bytes: usize,
    /// What finds no room is lost, and holds nothing up: `mode=non-blocking`.
    pub may_lose: bool,
}

#[derive(Debug, Deserialize)]
struct Config {
    log: Log,
}

#[derive(Debug, Deserialize)]
pub struct Log {
    pub file: Option<LogFile>,
    pub delivery: Delivery,
}

impl Log {
    /// Read it of a bundle.
    pub fn read(bundle: &Path) -> Result<Self, String> {
        let path = bundle.join("shim.json");
        let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let config: Result<Config, _> = serde_json::from_slice(&text);
        let config = config.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(config.log)
    }
}
