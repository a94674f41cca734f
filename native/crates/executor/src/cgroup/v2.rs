//! cgroup v2: one tree, controllers handed down from parent to child, limits under v2's names.

use std::path::{Path, PathBuf};

use super::files::{descent, make_directory, read, write};
use super::v1::pids_text;
use crate::spec::{BlockIo, Cpu, Memory, Resources, ThrottleDevice};
use crate::Error;

/// The kernel's own default, which a quota without a period means.
const PERIOD_DEFAULT_MICROSECONDS: u64 = 100_000;

/// Makes the container's directory with those above it, and hands every controller down to it.
pub(super) fn create(root: &Path, path: &str) -> Result<PathBuf, Error> {
    let controllers = read(&root.join("cgroup.controllers"))?;
    let mut parent = root.to_path_buf();
    for directory in descent(root, path) {
        hand_down(&parent, &controllers)?;
        make_directory(&directory)?;
        parent = directory;
    }
    Ok(parent)
}

/// Enables the controllers for the children of `parent`, as far as they go: one that cannot be enabled (real-time
/// processes keep `cpu` back, for one) is missed only by a limit that needs it.
fn hand_down(parent: &Path, controllers: &str) -> Result<(), Error> {
    let file = parent.join("cgroup.subtree_control");
    let enabled = read(&file)?;
    let missing = controllers
        .split_whitespace()
        .filter(|name| !enabled.split_whitespace().any(|have| have == *name));
    let missing: Vec<String> = missing.map(|name| format!("+{name}")).collect();
    if missing.is_empty() || write(&file, &missing.join(" ")).is_ok() {
        return Ok(());
    }
    for controller in missing {
        let _ = write(&file, &controller);
    }
    Ok(())
}

/// Sets what `resources` asks.
pub(super) fn limit(directory: &Path, resources: &Resources) -> Result<(), Error> {
    limit_memory(directory, &resources.memory)?;
    limit_cpu(directory, &resources.cpu)?;
    write_if(directory, "pids.max", resources.pids.limit.map(pids_text))?;
    limit_block_io(directory, &resources.block_io)?;
    for hugepages in &resources.hugepage_limits {
        let file = format!("hugetlb.{}.max", hugepages.page_size);
        write(&directory.join(file), &hugepages.limit.to_string())?;
    }
    for (file, value) in &resources.unified {
        if file.contains('/') {
            return Err(Error::Spec(format!(
                "linux.resources.unified: bad file name {file:?}"
            )));
        }
        write(&directory.join(file), value)?;
    }
    Ok(())
}

fn write_if(directory: &Path, file: &str, value: Option<String>) -> Result<(), Error> {
    value.map_or(Ok(()), |value| write(&directory.join(file), &value))
}

fn bytes_text(bytes: i64) -> String {
    if bytes < 0 {
        "max".into()
    } else {
        bytes.to_string()
    }
}

/// v2 limits swap alone, where the specification counts memory and swap together.
fn swap_text(memory: &Memory) -> Result<Option<String>, Error> {
    match (memory.swap, memory.limit) {
        (None | Some(0), _) => Ok(None),
        (Some(swap), _) if swap < 0 => Ok(Some("max".into())),
        (Some(swap), Some(limit)) if limit >= 0 && swap >= limit => {
            Ok(Some((swap - limit).to_string()))
        }
        (Some(_), _) => Err(Error::Spec(
            "linux.resources.memory: swap must not be less than limit".into(),
        )),
    }
}

fn limit_memory(directory: &Path, memory: &Memory) -> Result<(), Error> {
    // First the swap: a process that is squeezed by the limit must not fill it.
    write_if(directory, "memory.swap.max", swap_text(memory)?)?;
    write_if(directory, "memory.max", memory.limit.map(bytes_text))?;
    write_if(directory, "memory.low", memory.reservation.map(bytes_text))
}

/// Shares 2…262144 to weights 1…10000, the formula that runc and crun began with.
fn weight_of_shares(shares: u64) -> u64 {
    let shares = shares.clamp(2, 262_144);
    1 + ((shares - 2) * 9999) / 262_142
}

fn limit_cpu(directory: &Path, cpu: &Cpu) -> Result<(), Error> {
    let shares = cpu.shares.filter(|shares| *shares != 0);
    write_if(
        directory,
        "cpu.weight",
        shares.map(|shares| weight_of_shares(shares).to_string()),
    )?;
    if cpu.quota.is_some() || cpu.period.is_some() {
        let quota = cpu
            .quota
            .filter(|quota| *quota > 0)
            .map_or("max".into(), |quota| quota.to_string());
        let period = cpu
            .period
            .filter(|period| *period > 0)
            .unwrap_or(PERIOD_DEFAULT_MICROSECONDS);
        write(&directory.join("cpu.max"), &format!("{quota} {period}"))?;
    }
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    write_if(directory, "cpuset.cpus", given(&cpu.cpus))?;
    write_if(directory, "cpuset.mems", given(&cpu.mems))
}

/// Weights 10…1000 to 1…10000, as runc does for kernels whose scheduler is not BFQ.
fn io_weight(weight: u16) -> u64 {
    1 + (u64::from(weight.clamp(10, 1000)) - 10) * 9999 / 990
}

fn limit_block_io(directory: &Path, block_io: &BlockIo) -> Result<(), Error> {
    if let Some(weight) = block_io.weight.filter(|weight| *weight != 0) {
        let bfq = directory.join("io.bfq.weight");
        if bfq.exists() {
            write(&bfq, &weight.to_string())?;
        } else {
            write(
                &directory.join("io.weight"),
                &format!("default {}", io_weight(weight)),
            )?;
        }
    }
    for device in &block_io.weight_device {
        let line = |weight| format!("{}:{} {weight}", device.major, device.minor);
        write_if(directory, "io.bfq.weight", device.weight.map(line))?;
    }
    let throttles: [(&str, &[ThrottleDevice]); 4] = [
        ("rbps", &block_io.throttle_read_bps_device),
        ("wbps", &block_io.throttle_write_bps_device),
        ("riops", &block_io.throttle_read_iops_device),
        ("wiops", &block_io.throttle_write_iops_device),
    ];
    for (key, devices) in throttles {
        for device in devices {
            let line = format!("{}:{} {key}={}", device.major, device.minor, device.rate);
            write(&directory.join("io.max"), &line)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::{Cgroup, CgroupLayout};
    use std::fs;

    #[test]
    fn controllers_are_handed_down_and_limits_take_v2_names() {
        let base = std::env::temp_dir().join(format!("drayman-v2-{}", std::process::id()));
        let leaf = base.join("t/c");
        fs::create_dir_all(&leaf).unwrap();
        fs::write(base.join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        fs::write(base.join("cgroup.subtree_control"), "").unwrap();
        fs::write(base.join("t/cgroup.subtree_control"), "").unwrap();
        for file in [
            "memory.max",
            "memory.swap.max",
            "cpu.weight",
            "cpu.max",
            "pids.max",
            "memory.high",
        ] {
            fs::write(leaf.join(file), "").unwrap();
        }
        let resources: Resources = serde_json::from_str(
            r#"{"memory":{"limit":1048576,"swap":3145728},"cpu":{"shares":1024,"quota":50000},
            "pids":{"limit":7},"unified":{"memory.high":"9"}}"#,
        )
        .unwrap();
        let layout = CgroupLayout {
            mode: crate::CgroupMode::V2,
            controllers: std::collections::BTreeMap::new(),
            unified: Some(base.clone()),
        };
        let cgroup = Cgroup::create(&layout, "/t/c", &resources).unwrap();
        let text = |file: &str| fs::read_to_string(base.join(file)).unwrap();
        assert_eq!(text("cgroup.subtree_control"), "+cpu +memory +pids");
        assert_eq!(text("t/cgroup.subtree_control"), "+cpu +memory +pids");
        assert_eq!(text("t/c/memory.max"), "1048576");
        assert_eq!(text("t/c/memory.swap.max"), "2097152");
        assert_eq!(text("t/c/cpu.weight"), "39");
        assert_eq!(text("t/c/cpu.max"), "50000 100000");
        assert_eq!(
            (text("t/c/pids.max"), text("t/c/memory.high")),
            ("7".into(), "9".into())
        );
        assert!(cgroup.birthplace().is_some());
        fs::write(leaf.join("memory.events"), "oom 2\noom_kill 1\n").unwrap();
        assert!(cgroup.oom_killed());
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn swap_below_memory_is_refused() {
        let memory: Memory = serde_json::from_str(r#"{"limit":10,"swap":5}"#).unwrap();
        assert!(swap_text(&memory).is_err());
        let memory: Memory = serde_json::from_str(r#"{"limit":10,"swap":-1}"#).unwrap();
        assert_eq!(swap_text(&memory).unwrap().unwrap(), "max");
    }

    #[test]
    fn weights_reach_both_ends() {
        assert_eq!(
            (weight_of_shares(2), weight_of_shares(262_144)),
            (1, 10_000)
        );
        assert_eq!((io_weight(10), io_weight(1000)), (1, 10_000));
    }
}
