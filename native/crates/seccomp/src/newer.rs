//! "No such system call" for calls that are newer than the profile.
//!
//! A profile that denies with EPERM would break programs that try a new call and fall back
//! on an old one only when told ENOSYS (glibc does). So calls with numbers above every one
//! that the profile names answer ENOSYS, as under runc; what this prepends does that.
use libseccomp::{ScmpAction, ScmpArch, ScmpSyscall};

use crate::document::Document;

/// One `struct sock_filter`, in the host's byte order.
pub(crate) type Instruction = [u8; 8];

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_GREATER: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const IF_BITS: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K
/// Offsets into `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// `SECCOMP_RET_ERRNO | ENOSYS` (38).
const NO_SUCH_CALL: u32 = 0x0005_0026;
const X32_BIT: u32 = 1 << 30;
/// No number is above it: nothing is newer.
const NEVER: u32 = u32::MAX;
/// What one architecture takes: a jump over, a load, three tests, a return, a jump.
const SECTION: usize = 7;

/// The highest call number that a profile names on one kernel architecture.
struct Section {
    audit: u32,
    highest: u32,
    /// Calls through x32, which is a bit in the number of an `x86_64` call.
    highest_x32: u32,
}

/// The instructions to run before a filter, none where the default is to allow.
pub(crate) fn prologue(
    document: &Document,
    default: ScmpAction,
    architectures: &[ScmpArch],
) -> Vec<Instruction> {
    if matches!(
        default,
        ScmpAction::Allow | ScmpAction::Log | ScmpAction::Trace(_)
    ) {
        return vec![];
    }
    let sections = sections(document, architectures);
    let total = 1 + sections.len() * SECTION;
    let mut program = vec![instruction(LOAD, 0, 0, ARCHITECTURE)];
    for section in &sections {
        let start = program.len();
        program.extend([
            instruction(IF_EQUAL, 0, 6, section.audit),
            instruction(LOAD, 0, 0, NUMBER),
            instruction(IF_BITS, 1, 0, X32_BIT),
            instruction(IF_GREATER, 1, 2, section.highest),
            instruction(IF_GREATER, 0, 1, section.highest_x32),
            instruction(RETURN, 0, 0, NO_SUCH_CALL),
        ]);
        let rest = total - (start + SECTION);
        program.push(instruction(JUMP, 0, 0, u32::try_from(rest).unwrap_or(0)));
    }
    program
}

fn sections(document: &Document, architectures: &[ScmpArch]) -> Vec<Section> {
    let mut sections: Vec<Section> = vec![];
    for &architecture in architectures {
        let (Some(audit), Some(highest)) = (audit(architecture), highest(document, architecture))
        else {
            continue;
        };
        let index = sections
            .iter()
            .position(|known| known.audit == audit)
            .unwrap_or_else(|| {
                // Where x32 means nothing its bit is an ordinary part of the number.
                let highest_x32 = if audit == AUDIT_X86_64 {
                    NEVER
                } else {
                    highest
                };
                sections.push(Section {
                    audit,
                    highest: NEVER,
                    highest_x32,
                });
                sections.len() - 1
            });
        if architecture == ScmpArch::X32 {
            sections[index].highest_x32 = highest;
        } else {
            sections[index].highest = highest;
        }
    }
    sections
}

fn highest(document: &Document, architecture: ScmpArch) -> Option<u32> {
    let names = document.syscalls.iter().flat_map(|rule| &rule.names);
    names
        .filter_map(|name| ScmpSyscall::from_name_by_arch(name, architecture).ok())
        // libseccomp numbers calls that an architecture lacks below zero.
        .filter_map(|call| u32::try_from(call.as_raw_syscall()).ok())
        .max()
}

const AUDIT_X86_64: u32 = 0xC000_003E;

/// `AUDIT_ARCH_*` of linux/audit.h, which is what a filter sees.
fn audit(architecture: ScmpArch) -> Option<u32> {
    Some(match architecture {
        ScmpArch::X86 => 0x4000_0003,
        ScmpArch::X8664 | ScmpArch::X32 => AUDIT_X86_64,
        ScmpArch::Arm => 0x4000_0028,
        ScmpArch::Aarch64 => 0xC000_00B7,
        ScmpArch::Ppc64Le => 0xC000_0015,
        ScmpArch::S390 => 0x0000_0016,
        ScmpArch::S390X => 0x8000_0016,
        ScmpArch::Riscv64 => 0xC000_00F3,
        _ => return None,
    })
}

fn instruction(code: u16, if_true: u8, if_false: u8, operand: u32) -> Instruction {
    let mut bytes = [0; 8];
    bytes[..2].copy_from_slice(&code.to_ne_bytes());
    bytes[2] = if_true;
    bytes[3] = if_false;
    bytes[4..].copy_from_slice(&operand.to_ne_bytes());
    bytes
}
