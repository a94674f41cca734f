//! Which devices a container may use, before it is said in v1's words or in v2's.

use crate::spec::DeviceRule;

/// What is allowed beside the plan's rules, as runc does: making nodes of any kind, and using those that every
/// container's `/dev` has. Kind, major, minor, access; -1 is any.
const OWN_DEVICES: [(&str, i64, i64, &str); 10] = [
    ("c", -1, -1, "m"),
    ("b", -1, -1, "m"),
    ("c", 1, 3, "rwm"),
    ("c", 1, 5, "rwm"),
    ("c", 1, 7, "rwm"),
    ("c", 1, 8, "rwm"),
    ("c", 1, 9, "rwm"),
    ("c", 5, 0, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, -1, "rwm"),
];

/// The plan's rules, and what every container is allowed.
pub(super) fn complete(planned: &[DeviceRule]) -> Vec<DeviceRule> {
    let mut rules = planned.to_vec();
    // A container that may use every device keeps them all.
    if planned.iter().any(|rule| !rule.allow) {
        rules.extend(OWN_DEVICES.map(|(kind, major, minor, access)| DeviceRule {
            allow: true,
            kind: Some(kind.into()),
            major: Some(major),
            minor: Some(minor),
            access: access.into(),
        }));
    }
    rules
}
