//! A tar's size and fingerprint before it is packed.
use std::fs;
use std::os::unix::fs::{symlink, FileExt};

use drayman_archive::{export, survey, Packing, Survey};

use crate::support::{Memory, Root};

fn tree() -> Root {
    let root = Root::new();
    fs::create_dir(root.path("d")).unwrap();
    fs::write(root.path("d/small"), "abc").unwrap();
    fs::write(root.path("d/large"), vec![7; 500 << 10]).unwrap();
    fs::hard_link(root.path("d/small"), root.path("d/twin")).unwrap();
    symlink("small", root.path("d/link")).unwrap();
    let holed = fs::File::create(root.path("holed")).unwrap();
    holed.write_all_at(b"x", 5 << 20).unwrap();
    root
}

fn surveyed(root: &Root, packing: &Packing) -> Survey {
    survey(|sink| export(root.fd(), packing, sink)).unwrap()
}

fn every_way() -> [Packing; 3] {
    let plain = Packing::default();
    [
        plain.clone(),
        Packing {
            sparse: true,
            ..plain.clone()
        },
        Packing {
            digests: true,
            ..plain
        },
    ]
}

#[test]
fn its_size_is_the_tars() {
    let root = tree();
    for packing in every_way() {
        let mut sink = Memory(Vec::new());
        let packed = export(root.fd(), &packing, &mut sink).unwrap();
        assert_eq!(surveyed(&root, &packing).bytes, packed.bytes);
        assert_eq!(sink.0.len() as u64, packed.bytes);
    }
}

#[test]
fn its_fingerprint_changes_with_whatever_would_change_the_tar() {
    let root = tree();
    let packing = Packing::default();
    let mut seen = vec![surveyed(&root, &packing).fingerprint];
    let deeds: [&dyn Fn(); 5] = [
        &|| fs::write(root.path("d/small"), "abd").unwrap(),
        &|| fs::rename(root.path("d/large"), root.path("d/larger")).unwrap(),
        &|| fs::remove_file(root.path("d/link")).unwrap(),
        &|| {
            // The same bytes over again, and the old time: the kernel's own tells.
            let file = fs::File::options()
                .write(true)
                .open(root.path("holed"))
                .unwrap();
            let before = file.metadata().unwrap().modified().unwrap();
            file.write_all_at(b"x", 5 << 20).unwrap();
            file.set_modified(before).unwrap();
        },
        &|| fs::create_dir(root.path("new")).unwrap(),
    ];
    for deed in deeds {
        assert_eq!(surveyed(&root, &packing).fingerprint, *seen.last().unwrap());
        deed();
        let next = surveyed(&root, &packing).fingerprint;
        assert!(!seen.contains(&next));
        seen.push(next);
    }
}
