//! cgroup v1: a tree for each controller, and the limits as that controller's files want them.

use std::path::{Path, PathBuf};

use super::files::{descent, make_directory, read, write};
use super::{device_rules, Hierarchy};
use crate::spec::{BlockIo, Cpu, DeviceRule, HugepageLimit, Memory, Resources, ThrottleDevice};
use crate::Error;

/// Makes the container's directory, with those above it.
pub(super) fn create(hierarchy: &Hierarchy, path: &str) -> Result<(), Error> {
    // One mkdir, where the parents are there already, as for all but the first container.
    if make_directory(&hierarchy.directory).is_err() {
        for directory in descent(&root_of(hierarchy, path), path) {
            make_directory(&directory)?;
        }
    }
    if has(hierarchy, "cpuset") {
        inherit_cpuset(&root_of(hierarchy, path), path)?;
    }
    Ok(())
}

/// The tree's mount point: the container's directory without `path`.
fn root_of(hierarchy: &Hierarchy, path: &str) -> PathBuf {
    let depth = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .count();
    hierarchy
        .directory
        .ancestors()
        .nth(depth)
        .unwrap_or(Path::new("/"))
        .to_path_buf()
}

fn has(hierarchy: &Hierarchy, controller: &str) -> bool {
    hierarchy.controllers.iter().any(|name| name == controller)
}

/// A new cpuset has no processors and takes no process: it gets its parent's.
fn inherit_cpuset(root: &Path, path: &str) -> Result<(), Error> {
    let mut parent = root.to_path_buf();
    for directory in descent(root, path) {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if read(&directory.join(file))?.trim().is_empty() {
                write(&directory.join(file), read(&parent.join(file))?.trim())?;
            }
        }
        parent = directory;
    }
    Ok(())
}

/// Sets what `resources` asks of this tree's controllers.
pub(super) fn limit(hierarchy: &Hierarchy, resources: &Resources) -> Result<(), Error> {
    let directory = &hierarchy.directory;
    for controller in &hierarchy.controllers {
        match controller.as_str() {
            "memory" => limit_memory(directory, &resources.memory)?,
            "cpu" => limit_cpu(directory, &resources.cpu)?,
            "cpuset" => limit_cpuset(directory, &resources.cpu)?,
            "pids" => write_if(directory, "pids.max", resources.pids.limit.map(pids_text))?,
            "devices" => limit_devices(directory, &resources.devices)?,
            "blkio" => limit_block_io(directory, &resources.block_io)?,
            "hugetlb" => limit_hugepages(directory, &resources.hugepage_limits)?,
            _ => {}
        }
    }
    Ok(())
}

/// Fails where a limit was asked for and no tree could hold it: a container without its limit is not what was asked.
pub(super) fn check_controllers(
    hierarchies: &[Hierarchy],
    resources: &Resources,
) -> Result<(), Error> {
    let cpu = &resources.cpu;
    let wanted = [
        ("memory", resources.memory.limit.is_some()),
        (
            "cpu",
            cpu.shares.is_some() || cpu.quota.is_some() || cpu.period.is_some(),
        ),
        ("cpuset", !cpu.cpus.is_empty() || !cpu.mems.is_empty()),
        ("pids", resources.pids.limit.is_some()),
        ("hugetlb", !resources.hugepage_limits.is_empty()),
        ("devices", resources.devices.iter().any(|rule| !rule.allow)),
    ];
    for (controller, is_wanted) in wanted {
        if is_wanted
            && !hierarchies
                .iter()
                .any(|hierarchy| has(hierarchy, controller))
        {
            return Err(Error::Unsupported(format!(
                "this host has no cgroup controller {controller}"
            )));
        }
    }
    Ok(())
}

fn write_if(directory: &Path, file: &str, value: Option<impl ToString>) -> Result<(), Error> {
    value.map_or(Ok(()), |value| {
        write(&directory.join(file), &value.to_string())
    })
}

/// 0 or less is no limit, in the specification and in Docker.
pub(super) fn pids_text(limit: i64) -> String {
    if limit > 0 {
        limit.to_string()
    } else {
        "max".into()
    }
}

fn limit_memory(directory: &Path, memory: &Memory) -> Result<(), Error> {
    write_if(directory, "memory.limit_in_bytes", memory.limit)?;
    // After the limit, which must never be above it.
    write_if(directory, "memory.memsw.limit_in_bytes", memory.swap)?;
    write_if(directory, "memory.soft_limit_in_bytes", memory.reservation)?;
    write_if(
        directory,
        "memory.kmem.tcp.limit_in_bytes",
        memory.kernel_tcp,
    )?;
    write_if(directory, "memory.swappiness", memory.swappiness)?;
    write_if(
        directory,
        "memory.oom_control",
        memory.disable_oom_killer.filter(|off| *off).map(u8::from),
    )
}

fn limit_cpu(directory: &Path, cpu: &Cpu) -> Result<(), Error> {
    write_if(directory, "cpu.shares", cpu.shares)?;
    write_if(directory, "cpu.cfs_period_us", cpu.period)?;
    write_if(directory, "cpu.cfs_quota_us", cpu.quota)?;
    write_if(directory, "cpu.rt_period_us", cpu.realtime_period)?;
    write_if(directory, "cpu.rt_runtime_us", cpu.realtime_runtime)
}

fn limit_cpuset(directory: &Path, cpu: &Cpu) -> Result<(), Error> {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    write_if(directory, "cpuset.cpus", given(&cpu.cpus))?;
    write_if(directory, "cpuset.mems", given(&cpu.mems))
}

fn limit_devices(directory: &Path, rules: &[DeviceRule]) -> Result<(), Error> {
    for rule in &device_rules::complete(rules) {
        let file = if rule.allow {
            "devices.allow"
        } else {
            "devices.deny"
        };
        write(&directory.join(file), &device_text(rule))?;
    }
    Ok(())
}

fn device_text(rule: &DeviceRule) -> String {
    // Negative numbers mean any, as runc has it.
    let number = |number: Option<i64>| {
        number
            .filter(|number| *number >= 0)
            .map_or("*".into(), |number| number.to_string())
    };
    match rule.kind.as_deref() {
        None | Some("a" | "") => "a".into(),
        Some(kind) => format!(
            "{kind} {}:{} {}",
            number(rule.major),
            number(rule.minor),
            rule.access
        ),
    }
}

fn limit_block_io(directory: &Path, block_io: &BlockIo) -> Result<(), Error> {
    // The weight belongs to the scheduler: BFQ's file on today's kernels, CFQ's on those before 5.0.
    let bfq = directory.join("blkio.bfq.weight").exists();
    write_if(
        directory,
        if bfq {
            "blkio.bfq.weight"
        } else {
            "blkio.weight"
        },
        block_io.weight,
    )?;
    write_if(directory, "blkio.leaf_weight", block_io.leaf_weight)?;
    for device in &block_io.weight_device {
        let file = if bfq {
            "blkio.bfq.weight_device"
        } else {
            "blkio.weight_device"
        };
        let line = |weight| format!("{}:{} {weight}", device.major, device.minor);
        write_if(directory, file, device.weight.map(line))?;
    }
    let throttles: [(&str, &[ThrottleDevice]); 4] = [
        (
            "blkio.throttle.read_bps_device",
            &block_io.throttle_read_bps_device,
        ),
        (
            "blkio.throttle.write_bps_device",
            &block_io.throttle_write_bps_device,
        ),
        (
            "blkio.throttle.read_iops_device",
            &block_io.throttle_read_iops_device,
        ),
        (
            "blkio.throttle.write_iops_device",
            &block_io.throttle_write_iops_device,
        ),
    ];
    for (file, devices) in throttles {
        for device in devices {
            write(
                &directory.join(file),
                &format!("{}:{} {}", device.major, device.minor, device.rate),
            )?;
        }
    }
    Ok(())
}

fn limit_hugepages(directory: &Path, limits: &[HugepageLimit]) -> Result<(), Error> {
    for limit in limits {
        let file = format!("hugetlb.{}.limit_in_bytes", limit.page_size);
        write(&directory.join(file), &limit.limit.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::{Cgroup, CgroupLayout};
    use std::fs;

    /// A directory tree with the files that the kernel would show.
    fn recorded(name: &str, files: &[&str]) -> (PathBuf, CgroupLayout) {
        let base = std::env::temp_dir().join(format!("drayman-v1-{name}-{}", std::process::id()));
        let mut controllers = std::collections::BTreeMap::new();
        for file in files {
            let controller = file.split('.').next().unwrap();
            let root = base.join(controller);
            fs::create_dir_all(root.join("t/c")).unwrap();
            for directory in [&root, &root.join("t"), &root.join("t/c")] {
                fs::write(directory.join(file), "").unwrap();
                fs::write(directory.join("tasks"), "").unwrap();
            }
            controllers.insert(controller.to_owned(), root);
        }
        (
            base,
            CgroupLayout {
                mode: crate::CgroupMode::V1,
                controllers,
                unified: None,
            },
        )
    }

    #[test]
    fn limits_are_written_where_v1_wants_them() {
        let files = [
            "memory.limit_in_bytes",
            "memory.memsw.limit_in_bytes",
            "cpu.shares",
            "pids.max",
            "cpuset.cpus",
        ];
        let (base, layout) = recorded("limits", &files);
        for file in ["cpuset.mems", "t/cpuset.mems", "t/c/cpuset.mems"] {
            fs::write(base.join("cpuset").join(file), "").unwrap();
        }
        fs::write(base.join("cpuset/cpuset.cpus"), "0-3\n").unwrap();
        fs::write(base.join("cpuset/cpuset.mems"), "0\n").unwrap();
        let resources: Resources = serde_json::from_str(
            r#"{"memory":{"limit":1048576,"swap":2097152},"cpu":{"shares":512,"cpus":"1"},"pids":{"limit":0}}"#,
        )
        .unwrap();
        let cgroup = Cgroup::create(&layout, "/t/c", &resources).unwrap();
        let text = |file: &str| fs::read_to_string(base.join(file)).unwrap();
        assert_eq!(text("memory/t/c/memory.limit_in_bytes"), "1048576");
        assert_eq!(text("memory/t/c/memory.memsw.limit_in_bytes"), "2097152");
        assert_eq!(text("cpu/t/c/cpu.shares"), "512");
        assert_eq!(text("pids/t/c/pids.max"), "max");
        assert_eq!(
            (text("cpuset/t/cpuset.cpus"), text("cpuset/t/c/cpuset.mems")),
            ("0-3".into(), "0".into())
        );
        // The kernel replaces the whole value; a plain file keeps the tail of what was there.
        assert_eq!(text("cpuset/t/c/cpuset.cpus"), "1-3");
        cgroup.join().unwrap();
        assert_eq!(text("memory/t/c/tasks"), "0");
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_limit_without_its_controller_is_refused() {
        let (base, layout) = recorded("missing", &["cpu.shares"]);
        let resources: Resources = serde_json::from_str(r#"{"memory":{"limit":1}}"#).unwrap();
        let error = Cgroup::create(&layout, "/t/c", &resources).unwrap_err();
        assert_eq!(
            error.to_string(),
            "this host has no cgroup controller memory"
        );
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn device_rules_read_as_the_kernel_wants() {
        let rule = |json: &str| device_text(&serde_json::from_str(json).unwrap());
        assert_eq!(rule(r#"{"allow":false,"access":"rwm"}"#), "a");
        assert_eq!(
            rule(r#"{"type":"c","major":1,"minor":3,"access":"rwm"}"#),
            "c 1:3 rwm"
        );
        assert_eq!(rule(r#"{"type":"b","major":-1,"access":"m"}"#), "b *:* m");
    }
}
