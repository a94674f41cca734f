//! Any text is a seccomp profile or an error, and what is compiled can be loaded by size.
#![no_main]
use drayman_seccomp::compile;
use libfuzzer_sys::fuzz_target;

const INSTRUCTION_BYTES: usize = 8;

fuzz_target!(|profile: &[u8]| {
    if let Ok(program) = compile(profile, &[]) {
        assert!(!program.is_empty() && program.len() % INSTRUCTION_BYTES == 0);
    }
});
