//! The OCI form of a profile (`linux.seccomp` of the runtime specification).
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp};
use serde::Deserialize;

use crate::Error;

/// What an `SCMP_ACT_ERRNO` or `SCMP_ACT_TRACE` returns when the rule names nothing: EPERM.
const DEFAULT_ERRNO: u32 = 1;
/// A system call has six arguments.
const ARGUMENTS: u32 = 6;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    pub default_action: String,
    pub default_errno_ret: Option<u32>,
    #[serde(default)]
    pub architectures: Vec<String>,
    #[serde(default)]
    pub syscalls: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rule {
    pub names: Vec<String>,
    pub action: String,
    pub errno_ret: Option<u32>,
    pub args: Option<Vec<Argument>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Argument {
    pub index: u32,
    pub value: u64,
    #[serde(default)]
    pub value_two: u64,
    pub op: String,
}

impl Document {
    pub(crate) fn parse(document: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(document).map_err(|error| Error::Document(error.to_string()))
    }

    pub(crate) fn default_action(&self) -> Result<ScmpAction, Error> {
        action(&self.default_action, self.default_errno_ret).map_err(Error::DefaultAction)
    }
}

impl Rule {
    /// How errors name this rule: by its first call, and how many more there are.
    pub(crate) fn label(&self) -> String {
        match self.names.as_slice() {
            [] => "(no names)".to_owned(),
            [only] => only.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        }
    }

    pub(crate) fn action(&self) -> Result<ScmpAction, Error> {
        action(&self.action, self.errno_ret).map_err(|reason| self.error(reason))
    }

    /// The conditions, as the sets that each make a rule of their own.
    ///
    /// libseccomp takes one condition an argument. Where a profile has two for the same
    /// argument, runc makes every condition a rule, any of which suffices.
    pub(crate) fn conditions(&self) -> Result<Vec<Vec<ScmpArgCompare>>, Error> {
        let arguments = self.args.as_deref().unwrap_or_default();
        let mut seen = 0u32;
        let mut repeated = false;
        let mut conditions = Vec::with_capacity(arguments.len());
        for argument in arguments {
            if argument.index >= ARGUMENTS {
                return Err(self.error(format!("no argument {}", argument.index)));
            }
            repeated |= seen & (1 << argument.index) != 0;
            seen |= 1 << argument.index;
            conditions.push(argument.condition().map_err(|reason| self.error(reason))?);
        }
        Ok(if repeated {
            conditions.into_iter().map(|one| vec![one]).collect()
        } else if conditions.is_empty() {
            vec![]
        } else {
            vec![conditions]
        })
    }

    pub(crate) fn error(&self, reason: impl Into<String>) -> Error {
        Error::Rule {
            rule: self.label(),
            reason: reason.into(),
        }
    }
}

impl Argument {
    fn condition(&self) -> Result<ScmpArgCompare, String> {
        let (op, datum) = match self.op.as_str() {
            "SCMP_CMP_NE" => (ScmpCompareOp::NotEqual, self.value),
            "SCMP_CMP_LT" => (ScmpCompareOp::Less, self.value),
            "SCMP_CMP_LE" => (ScmpCompareOp::LessOrEqual, self.value),
            "SCMP_CMP_EQ" => (ScmpCompareOp::Equal, self.value),
            "SCMP_CMP_GE" => (ScmpCompareOp::GreaterEqual, self.value),
            "SCMP_CMP_GT" => (ScmpCompareOp::Greater, self.value),
            "SCMP_CMP_MASKED_EQ" => (ScmpCompareOp::MaskedEqual(self.value), self.value_two),
            other => return Err(format!("unknown operator {other:?}")),
        };
        Ok(ScmpArgCompare::new(self.index, op, datum))
    }
}

fn action(name: &str, errno: Option<u32>) -> Result<ScmpAction, String> {
    let errno = errno.unwrap_or(DEFAULT_ERRNO);
    Ok(match name {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => ScmpAction::KillThread,
        "SCMP_ACT_KILL_PROCESS" => ScmpAction::KillProcess,
        "SCMP_ACT_TRAP" => ScmpAction::Trap,
        "SCMP_ACT_ALLOW" => ScmpAction::Allow,
        "SCMP_ACT_LOG" => ScmpAction::Log,
        "SCMP_ACT_ERRNO" => ScmpAction::Errno(i32::from(
            u16::try_from(errno).map_err(|_| format!("errno {errno} is too big"))?,
        )),
        "SCMP_ACT_TRACE" => ScmpAction::Trace(
            u16::try_from(errno).map_err(|_| format!("trace value {errno} is too big"))?,
        ),
        // A listener would have to be held by the shim for the container's life.
        "SCMP_ACT_NOTIFY" => return Err("SCMP_ACT_NOTIFY is not supported".to_owned()),
        other => return Err(format!("unknown action {other:?}")),
    })
}

/// An architecture by its name in a profile (`SCMP_ARCH_X86_64`).
pub(crate) fn architecture(name: &str) -> Result<ScmpArch, Error> {
    name.parse()
        .map_err(|_| Error::Architecture(name.to_owned()))
}
