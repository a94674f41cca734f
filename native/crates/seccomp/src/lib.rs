//! A seccomp profile compiled once, to the program that the kernel runs.
//!
//! Building a program takes libseccomp some 10 ms, loading a ready one a tenth of one; so
//! the daemon compiles, keeps the result, and whoever starts processes loads bytes alone.
mod document;
mod newer;

use std::fmt;
use std::io::{Read, Seek};

use libseccomp::{ScmpAction, ScmpArch, ScmpFilterContext, ScmpSyscall};
use rustix::fs::MemfdFlags;

use document::{Document, Rule};

/// `BPF_MAXINSNS`: the kernel takes no longer program.
const INSTRUCTIONS: usize = 4096;
const INSTRUCTION_BYTES: usize = 8;
/// Names times conditions, above which a document is refused before it costs time.
const RULES: usize = 20_000;
/// From this many names on, a program searches for the call by a binary tree. Not below:
/// libseccomp up to 2.5.4 makes a wrong program of a tree without rules.
const TREE_FROM: usize = 32;

/// Why a profile cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// It is no JSON, or lacks a part.
    Document(String),
    /// The action for calls without a rule cannot be.
    DefaultAction(String),
    /// An architecture's name is unknown.
    Architecture(String),
    /// One rule cannot be; it is named by its first call.
    Rule { rule: String, reason: String },
    /// The kernel would refuse the program, or the document has too many rules.
    Size {
        count: usize,
        limit: usize,
        what: &'static str,
    },
    /// libseccomp or the host failed.
    System(String),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document(reason) => write!(out, "invalid seccomp profile: {reason}"),
            Self::DefaultAction(reason) => {
                write!(out, "invalid seccomp profile: default action: {reason}")
            }
            Self::Architecture(name) => {
                write!(
                    out,
                    "invalid seccomp profile: unknown architecture {name:?}"
                )
            }
            Self::Rule { rule, reason } => {
                write!(out, "invalid seccomp profile: rule for {rule}: {reason}")
            }
            Self::Size { count, limit, what } => {
                write!(
                    out,
                    "invalid seccomp profile: {count} {what}, at most {limit} are possible"
                )
            }
            Self::System(reason) => write!(out, "compiling seccomp profile: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

/// The program of a profile, as the kernel takes it: an array of `struct sock_filter`.
///
/// `profile` is an OCI `linux.seccomp` document; `architectures`, when given, stand in for
/// its own. Calls that libseccomp does not know are left out, as runc leaves them out, so
/// that one profile serves hosts of any age.
pub fn compile(profile: &[u8], architectures: &[String]) -> Result<Vec<u8>, Error> {
    let document = Document::parse(profile)?;
    let names = if architectures.is_empty() {
        &document.architectures
    } else {
        architectures
    };
    let architectures = names
        .iter()
        .map(|name| document::architecture(name))
        .collect::<Result<Vec<_>, _>>()?;
    let default = document.default_action()?;
    let mut filter = ScmpFilterContext::new(default).map_err(system)?;
    filter.set_ctl_nnp(false).map_err(system)?;
    for &architecture in &architectures {
        filter.add_arch(architecture).map_err(system)?;
    }
    let count = document.syscalls.iter().map(weight).sum();
    if count > RULES {
        return Err(Error::Size {
            count,
            limit: RULES,
            what: "rules",
        });
    }
    if count > TREE_FROM {
        filter.set_ctl_optimize(2).map_err(system)?;
    }
    for rule in &document.syscalls {
        add(&mut filter, rule, default)?;
    }
    assemble(&document, default, &architectures, &filter)
}

fn weight(rule: &Rule) -> usize {
    rule.names.len()
        * rule
            .args
            .as_ref()
            .map_or(1, |arguments| arguments.len().max(1))
}

fn add(filter: &mut ScmpFilterContext, rule: &Rule, default: ScmpAction) -> Result<(), Error> {
    let action = rule.action()?;
    let conditions = rule.conditions()?;
    if action == default {
        // libseccomp refuses a rule that changes nothing.
        return Ok(());
    }
    for name in &rule.names {
        let Ok(call) = ScmpSyscall::from_name(name) else {
            continue;
        };
        let failed =
            |error: libseccomp::error::SeccompError| rule.error(format!("{name}: {error}"));
        if conditions.is_empty() {
            filter.add_rule(action, call).map_err(failed)?;
        }
        for all_of in &conditions {
            filter
                .add_rule_conditional(action, call, all_of)
                .map_err(failed)?;
        }
    }
    Ok(())
}

/// Export the filter and put the answer for newer calls in front.
fn assemble(
    document: &Document,
    default: ScmpAction,
    architectures: &[ScmpArch],
    filter: &ScmpFilterContext,
) -> Result<Vec<u8>, Error> {
    let native = [ScmpArch::native()];
    // A filter without architectures is for the native one.
    let architectures = if architectures.is_empty() {
        &native
    } else {
        architectures
    };
    let mut program: Vec<u8> = newer::prologue(document, default, architectures)
        .into_iter()
        .flatten()
        .collect();
    let memory = rustix::fs::memfd_create("seccomp", MemfdFlags::CLOEXEC)
        .map_err(|error| Error::System(error.to_string()))?;
    filter.export_bpf(&memory).map_err(system)?;
    let mut file = std::fs::File::from(memory);
    file.rewind()
        .and_then(|()| file.read_to_end(&mut program))
        .map_err(|error| Error::System(error.to_string()))?;
    let count = program.len() / INSTRUCTION_BYTES;
    if count > INSTRUCTIONS {
        return Err(Error::Size {
            count,
            limit: INSTRUCTIONS,
            what: "instructions",
        });
    }
    Ok(program)
}

#[allow(clippy::needless_pass_by_value)] // the shape that map_err wants
fn system(error: libseccomp::error::SeccompError) -> Error {
    Error::System(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{compile, Error, INSTRUCTION_BYTES};

    const NATIVE: &str = "SCMP_ARCH_X86_64";

    fn rule(name: &str, action: &str) -> String {
        format!(r#"{{"names":["{name}"],"action":"{action}"}}"#)
    }

    fn profile(rules: &str) -> Vec<u8> {
        format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{rules}]}}"#).into_bytes()
    }

    #[test]
    fn compiles_to_whole_instructions() {
        let program = compile(
            &profile(&rule("read", "SCMP_ACT_ALLOW")),
            &[NATIVE.to_owned()],
        );
        let program = program.expect("a plain profile compiles");
        assert!(!program.is_empty());
        assert_eq!(program.len() % INSTRUCTION_BYTES, 0);
    }

    #[test]
    fn a_profile_without_rules_compiles() {
        assert!(compile(&profile(""), &[]).is_ok());
    }

    #[test]
    fn a_rule_like_the_default_is_left_out() {
        assert!(compile(&profile(&rule("read", "SCMP_ACT_ERRNO")), &[]).is_ok());
    }

    #[test]
    fn errors_name_the_rule() {
        let error = compile(&profile(&rule("read", "SCMP_ACT_NOPE")), &[]).unwrap_err();
        assert_eq!(
            error,
            Error::Rule {
                rule: "read".into(),
                reason: r#"unknown action "SCMP_ACT_NOPE""#.into()
            }
        );
    }

    #[test]
    fn a_program_that_the_kernel_would_refuse_is_refused() {
        let arguments: Vec<String> = (0..5000)
            .map(|value| format!(r#"{{"index":0,"value":{value},"op":"SCMP_CMP_EQ"}}"#))
            .collect();
        let rule = format!(
            r#"{{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{}]}}"#,
            arguments.join(",")
        );
        let error = compile(&profile(&rule), &[NATIVE.to_owned()]).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Size {
                    what: "instructions",
                    ..
                }
            ),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_compiled_or_refused(document in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = compile(&document, &[]);
        }

        #[test]
        fn any_rule_is_compiled_or_refused(
            name in "[a-z_0-9]{0,12}",
            action in "SCMP_ACT_(ALLOW|KILL|ERRNO|TRACE|TRAP|LOG|X)",
            errno in any::<u32>(),
            index in 0u32..9,
            value in any::<u64>(),
            op in "SCMP_CMP_(EQ|NE|LT|GT|LE|GE|MASKED_EQ|X)",
        ) {
            let rule = format!(
                r#"{{"names":["{name}","read"],"action":"{action}","errnoRet":{errno},
                "args":[{{"index":{index},"value":{value},"op":"{op}"}}]}}"#
            );
            let _ = compile(&profile(&rule), &[NATIVE.to_owned()]);
        }
    }
}
