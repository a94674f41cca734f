//! cgroup v2 has no files for devices: the rules become a small program that the kernel asks at each access.

use crate::spec::DeviceRule;
use crate::Error;

/// One instruction of the kernel's eBPF, 8 bytes: code, registers, offset, constant.
type Instruction = [u8; 8];

// linux/bpf.h and linux/bpf_common.h.
const LOAD_WORD: u8 = 0x61;
const AND: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const MOVE: u8 = 0xb7;
const JUMP: u8 = 0x05;
const JUMP_IF_NOT_EQUAL: u8 = 0x55;
const JUMP_IF_ANY_BIT: u8 = 0x45;
const EXIT: u8 = 0x95;

/// The answer, and what the kernel hands over (`struct bpf_cgroup_dev_ctx`).
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
/// The kinds of access that no rule has spoken about yet.
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;
const MAKE_NODE: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;
const EVERY_ACCESS: i32 = MAKE_NODE | READ | WRITE;

/// The program for `rules`. As with v1's files a later rule outweighs an earlier one for the accesses it names, and
/// what no rule names is allowed.
pub(super) fn compile(rules: &[DeviceRule]) -> Result<Vec<u8>, Error> {
    let mut program = vec![
        instruction(LOAD_WORD, KIND, CONTEXT, 0, 0),
        instruction(AND, KIND, 0, 0, 0xffff),
        instruction(LOAD_WORD, ACCESS, CONTEXT, 0, 0),
        instruction(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        instruction(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        instruction(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for rule in rules.iter().rev() {
        let is_last_word = append(&mut program, rule)?;
        if is_last_word {
            // The kernel refuses a program with a part that is never reached.
            return Ok(program.concat());
        }
    }
    program.extend([
        instruction(MOVE, ANSWER, 0, 0, 1),
        instruction(EXIT, 0, 0, 0, 0),
    ]);
    Ok(program.concat())
}

/// Adds one rule; says whether nothing can come after it.
fn append(program: &mut Vec<Instruction>, rule: &DeviceRule) -> Result<bool, Error> {
    let (conditions, access) = conditions(rule)?;
    let speaks_of_everything = conditions.is_empty() && access == EVERY_ACCESS;
    let answer = [
        instruction(MOVE, ANSWER, 0, 0, i32::from(rule.allow)),
        instruction(EXIT, 0, 0, 0, 0),
    ];
    if speaks_of_everything {
        program.extend(answer);
        return Ok(true);
    }
    let decision = if rule.allow {
        // What it allows needs no other rule; if that was all that was asked for, so be it.
        [
            instruction(AND, ACCESS, 0, 0, EVERY_ACCESS & !access),
            instruction(JUMP_IF_NOT_EQUAL, ACCESS, 0, 2, 0),
        ]
    } else {
        [
            instruction(JUMP_IF_ANY_BIT, ACCESS, 0, 1, access),
            instruction(JUMP, 0, 0, 2, 0),
        ]
    };
    let mut to_go = conditions.len();
    for (register, value) in conditions {
        to_go -= 1;
        let past_the_rule = to_go + decision.len() + answer.len();
        let past_the_rule = i16::try_from(past_the_rule).unwrap_or(i16::MAX);
        program.push(instruction(
            JUMP_IF_NOT_EQUAL,
            register,
            0,
            past_the_rule,
            value,
        ));
    }
    program.extend(decision);
    program.extend(answer);
    Ok(false)
}

/// Which registers must hold what for the rule to speak, and of which accesses it does.
fn conditions(rule: &DeviceRule) -> Result<(Vec<(u8, i32)>, i32), Error> {
    let mut conditions = Vec::new();
    match rule.kind.as_deref() {
        None | Some("a" | "") => return Ok((conditions, EVERY_ACCESS)),
        Some("b") => conditions.push((KIND, BLOCK)),
        Some("c" | "u") => conditions.push((KIND, CHARACTER)),
        Some(other) => {
            return Err(Error::Spec(format!(
                "linux.resources.devices: bad type {other:?}"
            )))
        }
    }
    for (register, number) in [(MAJOR, rule.major), (MINOR, rule.minor)] {
        if let Some(number) = number.filter(|number| *number >= 0) {
            let number = i32::try_from(number).map_err(|_| {
                Error::Spec(format!(
                    "linux.resources.devices: bad device number {number}"
                ))
            })?;
            conditions.push((register, number));
        }
    }
    let mut access = 0;
    for letter in rule.access.chars() {
        access |= match letter {
            'r' => READ,
            'w' => WRITE,
            'm' => MAKE_NODE,
            _ => {
                return Err(Error::Spec(format!(
                    "linux.resources.devices: bad access {:?}",
                    rule.access
                )))
            }
        };
    }
    Ok((conditions, access))
}

fn instruction(code: u8, target: u8, source: u8, offset: i16, constant: i32) -> Instruction {
    let registers = if cfg!(target_endian = "little") {
        source << 4 | target
    } else {
        target << 4 | source
    };
    let (offset, constant) = (offset.to_ne_bytes(), constant.to_ne_bytes());
    [
        code,
        registers,
        offset[0],
        offset[1],
        constant[0],
        constant[1],
        constant[2],
        constant[3],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do with the program: the answer to one access.
    fn ask(program: &[u8], kind: i32, access: i32, major: i32, minor: i32) -> i32 {
        let mut registers = [0i32; 16];
        let context = [access << 16 | kind, major, minor];
        let mut at = 0usize;
        loop {
            let code = &program[at * 8..at * 8 + 8];
            let (target, source) = (usize::from(code[1] & 15), usize::from(code[1] >> 4));
            let offset = i16::from_le_bytes([code[2], code[3]]);
            let constant = i32::from_le_bytes([code[4], code[5], code[6], code[7]]);
            assert!(source <= 1);
            let jumps = match code[0] {
                LOAD_WORD => {
                    registers[target] = context[usize::try_from(offset / 4).unwrap()];
                    false
                }
                AND => {
                    registers[target] &= constant;
                    false
                }
                SHIFT_RIGHT => {
                    registers[target] >>= constant;
                    false
                }
                MOVE => {
                    registers[target] = constant;
                    false
                }
                JUMP => true,
                JUMP_IF_NOT_EQUAL => registers[target] != constant,
                JUMP_IF_ANY_BIT => registers[target] & constant != 0,
                EXIT => return registers[0],
                other => panic!("{other:#x}"),
            };
            at += 1 + if jumps {
                usize::try_from(offset).unwrap()
            } else {
                0
            };
        }
    }

    fn program(json: &str) -> Vec<u8> {
        let rules: Vec<DeviceRule> = serde_json::from_str(json).unwrap();
        compile(&rules).unwrap()
    }

    #[test]
    fn docker_usual_rules() {
        let usual = program(
            r#"[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","access":"m"},{"allow":true,"type":"b","access":"m"},
            {"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"},{"allow":true,"type":"c","major":136,"access":"rw"}]"#,
        );
        assert_eq!(ask(&usual, CHARACTER, READ | WRITE, 1, 3), 1);
        assert_eq!(ask(&usual, CHARACTER, READ, 1, 1), 0);
        assert_eq!(ask(&usual, BLOCK, MAKE_NODE, 8, 0), 1);
        assert_eq!(ask(&usual, BLOCK, READ, 8, 0), 0);
        assert_eq!(ask(&usual, BLOCK, READ | MAKE_NODE, 8, 0), 0);
        assert_eq!(ask(&usual, CHARACTER, READ | WRITE, 136, 77), 1);
        assert_eq!(
            ask(&usual, CHARACTER, EVERY_ACCESS, 136, 77),
            1,
            "two rules together"
        );
    }

    #[test]
    fn a_later_rule_outweighs() {
        let all_but =
            program(r#"[{"allow":true},{"allow":false,"type":"b","major":8,"access":"w"}]"#);
        assert_eq!(ask(&all_but, BLOCK, READ, 8, 1), 1);
        assert_eq!(ask(&all_but, BLOCK, READ | WRITE, 8, 1), 0);
        assert_eq!(ask(&all_but, CHARACTER, WRITE, 8, 1), 1);
        assert_eq!(ask(&program("[]"), BLOCK, WRITE, 8, 1), 1);
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for json in [
            r#"[{"type":"x"}]"#,
            r#"[{"type":"c","access":"rq"}]"#,
            r#"[{"type":"c","major":4294967296}]"#,
        ] {
            let rules: Vec<DeviceRule> = serde_json::from_str(json).unwrap();
            assert!(compile(&rules).is_err(), "{json}");
        }
    }
}
