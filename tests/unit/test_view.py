"""A container's files reached by descriptor: entered when it runs, mounted when it does not."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from drayman import _native, errors

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")

BUSYBOX = "/bin/busybox"


class Stopped:
    """The directories of a stopped container, with a file in each of its layers."""

    def __init__(self, base: Path) -> None:
        self.upper, self.work, self.lower = base / "upper", base / "work", []
        for name in ("top", "bottom"):
            layer = base / name
            layer.mkdir()
            (layer / name).write_text(name)
            self.lower.append(str(layer))
        self.upper.mkdir()
        self.work.mkdir()

    def view(
        self, mounts: list[tuple[str, str, bool]] | None = None, *, read_only: bool = False
    ) -> closing[_native.View]:
        return closing(
            _native.View.stopped(
                self.lower, str(self.upper), str(self.work), mounts or [], read_only
            )
        )


@pytest.fixture
def stopped(tmp_path: Path) -> Stopped:
    return Stopped(tmp_path)


def read(view: _native.View, path: str) -> str:
    with open(_native.open_in_root(view.fileno(), path, os.O_RDONLY)) as file:
        return file.read()


def inside(view: _native.View, path: str) -> str:
    """A path for Python's own calls; only for trees a test made itself."""
    return f"/proc/self/fd/{view.fileno()}/{path}"


def test_layers_show_through_and_writes_go_to_the_upper_one(stopped: Stopped) -> None:
    with stopped.view() as view:
        assert read(view, "top") == "top"
        assert read(view, "/bottom") == "bottom"
        Path(inside(view, "new")).write_text("x")
        # Its mounts are nowhere; what other tests mount meanwhile is theirs.
        assert str(stopped.upper) not in Path("/proc/self/mountinfo").read_text()
    assert (stopped.upper / "new").read_text() == "x"


def test_mounts_lie_on_top_and_their_places_are_made(stopped: Stopped, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    (volume / "sub").mkdir(parents=True)
    (volume / "file").write_text("in the volume")
    single = tmp_path / "single"
    single.write_text("one file")
    mounts = [(str(volume), "/var/data", False), (str(single), "/etc/one", True)]
    with stopped.view(mounts) as view:
        assert read(view, "/var/data/file") == "in the volume"
        assert read(view, "/etc/one") == "one file"
        Path(inside(view, "var/data/sub/written")).write_text("")
        with pytest.raises(OSError, match="Read-only file system"):
            Path(inside(view, "etc/one")).write_text("")
    assert (volume / "sub/written").exists()
    assert stat.S_IMODE((stopped.upper / "var/data").stat().st_mode) == 0o755
    assert list((stopped.upper / "var/data").iterdir()) == []
    assert (stopped.upper / "etc/one").read_text() == ""


def test_a_place_behind_links_stays_inside(stopped: Stopped, tmp_path: Path) -> None:
    (stopped.upper / "absolute").symlink_to("/made/here")
    (stopped.upper / "climbing").symlink_to("../../../../up")
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("x")
    mounts = [(str(source), "/absolute/deep", False), (str(source), "/climbing", False)]
    with stopped.view(mounts) as view:
        assert read(view, "/made/here/deep/file") == "x"
        assert read(view, "/up/file") == "x"
    assert not Path("/made").exists()
    assert not Path("/up").exists()


def test_a_read_only_root_still_gets_its_mounts(stopped: Stopped, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with stopped.view([(str(source), "/data", False)], read_only=True) as view:
        with pytest.raises(OSError, match="Read-only file system"):
            Path(inside(view, "new")).write_text("")
        Path(inside(view, "data/new")).write_text("")
    assert (source / "new").exists()


def test_many_layers(tmp_path: Path) -> None:
    container = Stopped(tmp_path)
    for number in range(120):
        layer = tmp_path / f"layer-{number:064}"
        layer.mkdir()
        (layer / f"f{number}").write_text(str(number))
        container.lower.insert(0, str(layer))
    with container.view() as view:
        assert [read(view, f"f{number}") for number in (0, 119)] == ["0", "119"]


def test_what_is_missing_is_named(stopped: Stopped, tmp_path: Path) -> None:
    with pytest.raises(errors.System, match=r"clone .*/none for /data: no such file"):
        stopped.view([(str(tmp_path / "none"), "/data", False)])
    shutil.rmtree(stopped.lower[1])
    with pytest.raises(errors.System, match=r"bottom.*no such file or directory"):
        stopped.view()


def test_a_closed_view_says_so(stopped: Stopped) -> None:
    with stopped.view() as view:
        pass
    view.close()
    with pytest.raises(errors.System, match="closed"):
        view.fileno()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a root and mounts of its own; a tmpfs hides a file of the root."""
    root = tmp_path / "root"
    for name in ("bin", "old", "t"):
        (root / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    (root / "t/under").write_text("hidden")
    (root / "link").symlink_to("/t/over")
    script = (
        f"mount --make-rprivate / && mount --bind {root} {root} && cd {root} &&"
        " mount -t tmpfs none t && echo shown > t/over && pivot_root . old &&"
        " exec /bin/busybox sh -c 'umount -l /old; echo ready; read wait'"
    )
    # In a script's own file descriptors only: the test ends it by closing its input.
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.stdin.close()
    process.stdout.close()
    process.wait()


def enter(process: subprocess.Popen[bytes], *, mounts: bool) -> closing[_native.View]:
    pidfd = os.pidfd_open(process.pid)
    try:
        return closing(_native.View.running(process.pid, pidfd, mounts=mounts))
    finally:
        os.close(pidfd)


def test_a_running_container_as_it_sees_itself(running: subprocess.Popen[bytes]) -> None:
    with enter(running, mounts=True) as view:
        assert read(view, "/link") == "shown\n"
        assert sorted(os.listdir(inside(view, "t"))) == ["over"]


def test_a_running_container_without_its_mounts(running: subprocess.Popen[bytes]) -> None:
    with enter(running, mounts=False) as view:
        assert read(view, "/t/under") == "hidden"
        running.kill()
        running.wait()
        assert read(view, "/t/under") == "hidden"
    assert Path("/proc/self/ns/mnt").readlink() == Path("/proc/thread-self/ns/mnt").readlink()


def test_looking_opens_no_device_and_leaves_no_trace(stopped: Stopped, tmp_path: Path) -> None:
    """A container may make a device of the host's, and some act on being opened."""
    volume = tmp_path / "volume"
    volume.mkdir()
    for place in (stopped.upper, volume):
        os.mknod(place / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        (place / "file").write_text("")
        os.utime(place / "file", (0, 0))
    with stopped.view([(str(volume), "/volume", False)]) as view:
        for place in ("/", "/volume/"):
            with pytest.raises(errors.System, match="permission denied"):
                read(view, f"{place}null")
            assert read(view, f"{place}file") == ""
    assert [(place / "file").stat().st_atime for place in (stopped.upper, volume)] == [0, 0]


@pytest.mark.parametrize("mounts", [True, False])
def test_no_device_of_a_running_container_is_opened(
    running: subprocess.Popen[bytes], tmp_path: Path, mounts: bool
) -> None:
    os.mknod(tmp_path / "root/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    with enter(running, mounts=mounts) as view, pytest.raises(errors.System, match="permission"):
        read(view, "/null")


@pytest.mark.parametrize("mounts", [True, False])
def test_a_container_that_has_ended(running: subprocess.Popen[bytes], mounts: bool) -> None:
    pidfd = os.pidfd_open(running.pid)
    running.kill()
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
    with pytest.raises(errors.NotFound, match=f"process {running.pid} of the container has ended"):
        _native.View.running(running.pid, pidfd, mounts=mounts)
    os.close(pidfd)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    path = tmp_path / "inside"
    path.mkdir()
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY)
    yield fd, path
    os.close(fd)


def test_paths_cannot_leave_the_root(root: tuple[int, Path]) -> None:
    fd, path = root
    (path / "host").symlink_to("/etc")
    (path / "magic").symlink_to("/proc/self/root/etc/hostname")
    for name in ("host/passwd", "../../../../etc/passwd", "magic", "/etc/passwd", "none"):
        with pytest.raises(errors.NotFound, match="no such file or directory"):
            _native.open_in_root(fd, name, os.O_RDONLY)
    (path / "file").write_text("")
    with pytest.raises(errors.System, match="file/below: not a directory"):
        _native.open_in_root(fd, "file/below", os.O_RDONLY)
    with pytest.raises(errors.InvalidParameter, match="NUL"):
        _native.open_in_root(fd, "a\0b", os.O_RDONLY)
    opened = _native.open_in_root(fd, "", os.O_PATH)
    assert os.fstat(opened).st_ino == path.stat().st_ino
    assert not os.get_inheritable(opened)
    os.close(opened)


def test_names_that_are_not_utf8(root: tuple[int, Path]) -> None:
    fd, path = root
    name = os.fsdecode(b"\xff")
    (path / name).write_text("x")
    os.close(_native.open_in_root(fd, name, os.O_RDONLY))


def test_directories_are_made_with_the_parents(root: tuple[int, Path]) -> None:
    fd, path = root
    before = os.umask(0o077)
    try:
        assert _native.make_directory_in_root(fd, "/a/b/../c", 5, 6, 0o750)
    finally:
        os.umask(before)
    made = (path / "a/c").stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (5, 6, 0o750)
    assert not _native.make_directory_in_root(fd, "a/c", 7, 7)
    assert not _native.make_directory_in_root(fd, "/", 7, 7)
    assert (path / "a/c").stat().st_uid == 5


def test_directories_are_not_made_through_files_or_endless_links(root: tuple[int, Path]) -> None:
    fd, path = root
    (path / "file").write_text("")
    with pytest.raises(errors.System, match="not a directory"):
        _native.make_directory_in_root(fd, "file/x", 0, 0)
    with pytest.raises(errors.System, match="not a directory"):
        _native.make_directory_in_root(fd, "file", 0, 0)
    (path / "loop").symlink_to("loop")
    with pytest.raises(errors.System, match="too many levels of symbolic links"):
        _native.make_directory_in_root(fd, "loop/x", 0, 0)


def test_a_volume_gets_all_that_the_image_holds(root: tuple[int, Path], tmp_path: Path) -> None:
    fd, path = root
    source, volume = path / "data", tmp_path / "volume"
    (source / "d").mkdir(parents=True)
    volume.mkdir()
    (source / "file").write_bytes(bytes(range(256)) * 5000)
    os.chown(source / "file", 11, 12)
    (source / "file").chmod(0o4751)
    os.setxattr(source / "file", "user.mark", b"kept")
    capability = bytes.fromhex("0100000201000000010000000000000000000000")
    os.setxattr(source / "d", "user.dir", b"too")
    (source / "able").write_text("")
    os.setxattr(source / "able", "security.capability", capability)
    (source / "d/same").hardlink_to(source / "file")
    (source / "link").symlink_to("/etc/passwd")
    os.chown(source / "link", 3, 4, follow_symlinks=False)
    os.mkfifo(source / "pipe", 0o622)
    os.mknod(source / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    for name in ("file", "d", "link", "pipe", "null", "."):
        os.utime(source / name, ns=(10**18 + 5, 10**18 + 7), follow_symlinks=False)
    os.chown(source, 21, 22)
    source.chmod(0o1770)

    assert _native.populate_volume(fd, "/data", str(volume))
    for name in ("file", "able", "d", "d/same", "link", "pipe", "null", "."):
        old, new = (source / name).lstat(), (volume / name).lstat()
        assert (old.st_mode, old.st_uid, old.st_gid, old.st_rdev) == (
            new.st_mode,
            new.st_uid,
            new.st_gid,
            new.st_rdev,
        ), name
        assert old.st_mtime_ns == new.st_mtime_ns, name
    assert (volume / "file").read_bytes() == (source / "file").read_bytes()
    assert (volume / "file").samefile(volume / "d/same")
    assert (volume / "link").readlink() == Path("/etc/passwd")
    assert os.getxattr(volume / "file", "user.mark") == b"kept"
    assert os.getxattr(volume / "d", "user.dir") == b"too"
    assert os.getxattr(volume / "able", "security.capability") == capability


def test_a_volume_in_use_or_an_image_without_the_path(
    root: tuple[int, Path], tmp_path: Path
) -> None:
    fd, path = root
    (path / "data").mkdir()
    (path / "data/image").write_text("")
    (path / "file").write_text("")
    volume = tmp_path / "volume"
    volume.mkdir()
    assert not _native.populate_volume(fd, "/none", str(volume))
    assert not _native.populate_volume(fd, "/file", str(volume))
    (volume / "mine").write_text("")
    assert not _native.populate_volume(fd, "/data", str(volume))
    assert os.listdir(volume) == ["mine"]


def test_nothing_stays_open(stopped: Stopped, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with stopped.view([(str(source), "/data", False)]):
            pass
    assert len(os.listdir("/proc/self/fd")) == before
