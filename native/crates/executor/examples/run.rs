//! Times a container from its plan to its exit and removal, as root:
//! `run CONFIG.json CGROUP_LAYOUT.json ROOT_AS_JSON [COUNT]`, the last three as in a bundle's `shim.json`.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::Instant;

use drayman_executor::{spec::Spec, CgroupLayout, Container, RootSource, StdioPlan};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let config = std::fs::read(arguments.next().expect("config.json")).expect("config.json");
    let layout = std::fs::read(arguments.next().expect("layout.json")).expect("layout.json");
    let layout: CgroupLayout = serde_json::from_slice(&layout).expect("layout");
    let root: RootSource = serde_json::from_str(&arguments.next().expect("root")).expect("root");
    let count: usize = arguments
        .next()
        .map_or(1, |count| count.parse().expect("a number"));
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .expect("/dev/null");
    let out = std::io::stdout();
    let mut times = Vec::new();
    for _ in 0..count {
        let begin = Instant::now();
        let spec = Spec::parse(&config).expect("a plan");
        let mut container = Container::prepare(spec, &root, &layout, None).unwrap();
        let prepared = begin.elapsed();
        let stdio = StdioPlan::Pipes {
            stdin: null.as_fd(),
            stdout: out.as_fd(),
            stderr: out.as_fd(),
        };
        let started = container.start(&stdio);
        let running = begin.elapsed();
        let mut status = 0;
        if let Ok(started) = &started {
            // SAFETY: the kernel writes one int.
            unsafe { libc::waitpid(started.pid, &raw mut status, 0) };
        }
        let exited = begin.elapsed();
        container.destroy().expect("destroyed");
        times.push((exited, prepared, running, begin.elapsed()));
        if count == 1 {
            println!("{started:?} status {status:#x}");
        }
    }
    times.sort();
    for (name, at) in [
        ("fastest", 0),
        ("a tenth", count / 10),
        ("median", count / 2),
    ] {
        let (exited, prepared, running, gone) = times[at];
        println!(
            "{name}: prepared {prepared:?}, running {running:?}, exited {exited:?}, gone {gone:?}"
        );
    }
}
