//! Capabilities: names to bits, and giving up all the others.

use std::io;

use crate::spec::Capabilities;
use crate::sys::{self, CapabilitySets};
use crate::Error;

/// In the order of their numbers (`linux/capability.h`).
const NAMES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The five sets of a process to be, a bit for each capability.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    bounding: u64,
    sets: CapabilitySets,
    ambient: u64,
}

impl Rights {
    /// Without a list in the plan there are none. Names that are not known are left out, as runc leaves them out: the
    /// plan may be newer than we are.
    pub(crate) fn of(planned: Option<&Capabilities>) -> Self {
        let Some(planned) = planned else {
            return Self::default();
        };
        Self {
            bounding: bits(&planned.bounding),
            sets: CapabilitySets {
                effective: bits(&planned.effective),
                permitted: bits(&planned.permitted),
                inheritable: bits(&planned.inheritable),
            },
            ambient: bits(&planned.ambient),
        }
    }

    /// Takes everything else out of the bounding set. Has to come before the user changes.
    pub(crate) fn bound(&self) -> Result<(), Error> {
        for capability in 0..u64::BITS {
            if self.bounding & (1 << capability) != 0 {
                continue;
            }
            match sys::drop_from_bounding_set(capability) {
                // The kernel knows no more.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
                answer => {
                    answer.map_err(Error::system("drop a capability from the bounding set"))?;
                }
            }
        }
        Ok(())
    }

    /// Sets the other four sets. What the engine itself may not do (it may run in a container) it cannot give.
    pub(crate) fn apply(&self) -> Result<(), Error> {
        self.apply_sets()
            .map_err(Error::system("unable to apply caps"))
    }

    fn apply_sets(&self) -> io::Result<()> {
        let own = sys::capabilities()?.permitted;
        let CapabilitySets {
            effective,
            permitted,
            inheritable,
        } = self.sets;
        sys::set_capabilities(&CapabilitySets {
            effective: effective & own,
            permitted: permitted & own,
            inheritable: inheritable & own,
        })?;
        for capability in 0..u64::BITS {
            if self.ambient & own & (1 << capability) != 0 {
                sys::raise_ambient(capability)?;
            }
        }
        Ok(())
    }
}

fn bits(names: &[String]) -> u64 {
    let number = |name: &String| NAMES.iter().position(|known| known == name);
    names
        .iter()
        .filter_map(number)
        .fold(0, |bits, number| bits | 1 << number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bits() {
        let names = [
            "CAP_CHOWN",
            "CAP_SYS_ADMIN",
            "CAP_CHECKPOINT_RESTORE",
            "CAP_OF_TOMORROW",
        ];
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(bits(&names), 1 | 1 << 21 | 1 << 40);
    }

    #[test]
    fn no_list_means_no_rights() {
        assert_eq!(Rights::of(None), Rights::default());
    }
}
