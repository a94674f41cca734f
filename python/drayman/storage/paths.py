"""Where everything lies on disk: the one place that spells a path below root and run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# A unix socket's path has 108 bytes, the last of them NUL (unix(7)).
SOCKET_PATH_MAX_BYTES = 107


@dataclass(frozen=True)
class Paths:
    """Every path of one engine. `root` outlives a reboot, `run` does not have to.

    Nothing is made by asking for a path; `make` makes the directories that always exist.
    """

    root: Path
    run: Path

    def make(self) -> None:
        """Make the directories that an engine needs before anything else."""
        for private in (self.root, self.run):
            private.mkdir(mode=0o711, parents=True, exist_ok=True)
        for below in (
            self.blobs,
            self.layers,
            self.containers,
            self.volumes,
            self.seccomp,
            self.temporary,
            self.run_containers,
            self.namespaces,
        ):
            below.mkdir(mode=0o711, parents=True, exist_ok=True)

    # ---- root

    @property
    def database(self) -> Path:
        """The SQLite file of `drayman.engine.store`."""
        return self.root / "drayman.db"

    @property
    def events(self) -> Path:
        """What has happened, a line each."""
        return self.root / "events.jsonl"

    @property
    def earlier_events(self) -> Path:
        """What happened before that."""
        return self.root / "events.1.jsonl"

    @property
    def blobs(self) -> Path:
        """Content by its sha256, in hexadecimal."""
        return self.root / "blobs" / "sha256"

    @property
    def layers(self) -> Path:
        """Unpacked layers, shared by images; see `drayman.storage.layers`."""
        return self.root / "layers"

    @property
    def containers(self) -> Path:
        """One directory a container."""
        return self.root / "containers"

    @property
    def volumes(self) -> Path:
        """One directory a volume."""
        return self.root / "volumes"

    @property
    def images(self) -> Path:
        """Copies of the records of images, a file each."""
        return self.root / "images"

    @property
    def networks(self) -> Path:
        """Copies of the records of networks, a file each."""
        return self.root / "networks"

    @property
    def lost(self) -> Path:
        """What was found without a record when the database was damaged; nobody deletes it."""
        return self.root / "lost"

    @property
    def seccomp(self) -> Path:
        """Compiled seccomp filters by the digest of their profile."""
        return self.root / "seccomp"

    @property
    def temporary(self) -> Path:
        """Half-made things, on the file system of `root` so that they can be renamed into
        place; emptied at start."""
        return self.root / "tmp"

    def container(self, container_id: str) -> ContainerPaths:
        """The paths of one container."""
        return ContainerPaths(
            self.containers / container_id, self.run_containers / container_id, container_id
        )

    def volume(self, name: str) -> Path:
        """A volume's directory; what a container sees is `volume_data`."""
        return self.volumes / name

    def volume_data(self, name: str) -> Path:
        """The directory that is mounted."""
        return self.volumes / name / "_data"

    # ---- run

    @property
    def lock(self) -> Path:
        """Locked by, and holding the pid of, the engine that owns `root`."""
        return self.run / "drayman.pid"

    @property
    def run_containers(self) -> Path:
        """Sockets and execs of shims."""
        return self.run / "c"

    @property
    def namespaces(self) -> Path:
        """Network namespaces, bound to files."""
        return self.run / "netns"

    def namespace(self, container_id: str) -> Path:
        """The file a container's network namespace is bound to."""
        return self.namespaces / container_id


@dataclass(frozen=True)
class ContainerPaths:
    """Every path of one container: `home` below root, `run` below run."""

    home: Path
    run: Path
    container_id: str

    def make(self) -> None:
        """Make the container's directories."""
        for directory in (self.upper, self.work, self.rootfs, self.logs, self.execs):
            directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        # The root of the container, which every user in it enters.
        self.upper.chmod(0o755)
        # `rootfs` stays empty on the host; it is where an OCI runtime mounts the root.
        self.rootfs.chmod(0o755)

    @property
    def upper(self) -> Path:
        """What the container wrote."""
        return self.home / "upper"

    @property
    def work(self) -> Path:
        """overlayfs' own directory, beside `upper`."""
        return self.home / "work"

    @property
    def bundle(self) -> Path:
        """The OCI bundle."""
        return self.home / "bundle"

    @property
    def config(self) -> Path:
        """The OCI runtime configuration."""
        return self.bundle / "config.json"

    @property
    def shim_config(self) -> Path:
        """What the shim reads at its start."""
        return self.bundle / "shim.json"

    @property
    def probe(self) -> Path:
        """The OCI process that a health check runs."""
        return self.bundle / "probe.json"

    @property
    def rootfs(self) -> Path:
        """An empty directory, the root of the OCI bundle."""
        return self.bundle / "rootfs"

    @property
    def logs(self) -> Path:
        """The directory of the log and its rotated files."""
        return self.home / "log"

    @property
    def log(self) -> Path:
        """The log in Docker's json-file format."""
        return self.logs / f"{self.container_id}-json.log"

    @property
    def local_log(self) -> Path:
        """The log of Docker's `local` driver, which is the engine's own affair."""
        return self.logs / f"{self.container_id}-local.log"

    @property
    def cached_log(self) -> Path:
        """What is kept of a log that is sent away, so that it can be read."""
        return self.logs / f"{self.container_id}-cached.log"

    @property
    def hosts(self) -> Path:
        """Mounted at ``/etc/hosts``."""
        return self.home / "hosts"

    @property
    def hostname(self) -> Path:
        """Mounted at ``/etc/hostname``."""
        return self.home / "hostname"

    @property
    def resolv_conf(self) -> Path:
        """Mounted at ``/etc/resolv.conf``."""
        return self.home / "resolv.conf"

    @property
    def exit_record(self) -> Path:
        """How the container ended, written by the shim."""
        return self.home / "exit.json"

    @property
    def socket(self) -> Path:
        """Where the shim listens."""
        return self.run / "shim.sock"

    @property
    def attachment(self) -> Path:
        """What the run has of networks, until that is in the record."""
        return self.run / "attachment.json"

    @property
    def health(self) -> Path:
        """How health checks went, written by the shim."""
        return self.run / "health.json"

    @property
    def execs(self) -> Path:
        """What execs run, and how they ended."""
        return self.run / "exec"

    def exec_process(self, exec_id: str) -> Path:
        """The OCI process of an exec."""
        return self.execs / f"{exec_id}.json"

    def exec_record(self, exec_id: str) -> Path:
        """How an exec ended, written by the shim."""
        return self.execs / f"{exec_id}.exit"
