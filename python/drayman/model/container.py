"""What a container is: the configuration a client asked for, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from drayman.model.go_json import Wire, Words
from drayman.model.mount import Mount, MountPoint
from drayman.model.network import EndpointSettings, PortBinding

# An empty JSON object, which Docker uses as the value of its sets.
Nothing = dict[str, Any]
PortMap = dict[str, list[PortBinding] | None]
# As narrow as Docker's own, which takes nothing below 0.
UInt16 = Annotated[int, msgspec.Meta(ge=0, le=2**16 - 1)]
UInt64 = Annotated[int, msgspec.Meta(ge=0)]
# Height and width of a terminal.
ConsoleSize = tuple[UInt64, UInt64]


class HealthConfig(Wire, frozen=True, kw_only=True):
    """How to probe a container; durations in nanoseconds, 0 inherits."""

    test: list[str] | None = None
    interval: int = 0
    timeout: int = 0
    retries: int = 0
    start_period: int = 0
    start_interval: int = 0


class ContainerConfig(Wire, frozen=True, kw_only=True):
    """The part of a container's configuration that does not depend on the host."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, Nothing] | None = None
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: list[str] | None = None
    cmd: Words | None = None
    healthcheck: HealthConfig | None = None
    args_escaped: bool = False
    image: str = ""
    volumes: dict[str, Nothing] | None = None
    working_dir: str = ""
    entrypoint: Words | None = None
    network_disabled: bool = False
    mac_address: str = ""
    on_build: list[str] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    stop_timeout: int | None = None
    shell: list[str] | None = None


class RestartPolicy(Wire, frozen=True, kw_only=True):
    """When to start a container again by ourselves."""

    name: str = ""
    maximum_retry_count: int = 0


class LogConfig(Wire, frozen=True, kw_only=True):
    """The log driver and its options."""

    type: str = ""
    config: dict[str, str] | None = None


class Ulimit(Wire, frozen=True, kw_only=True):
    """A resource limit: `name` as in ``ulimit`` (``nofile``), -1 for no limit."""

    name: str = ""
    soft: int = 0
    hard: int = 0


class DeviceMapping(Wire, frozen=True, kw_only=True):
    """A device of the host, shown in the container."""

    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = ""


class DeviceRequest(Wire, frozen=True, kw_only=True):
    """Devices that a driver is to choose, such as ``--gpus`` asks for."""

    driver: str = ""
    count: int = 0
    device_ids: list[str] | None = msgspec.field(default=None, name="DeviceIDs")
    capabilities: list[list[str] | None] | None = None
    options: dict[str, str] | None = None


class ThrottleDevice(Wire, frozen=True, kw_only=True):
    """A rate for one block device, in bytes or operations a second."""

    path: str = ""
    rate: UInt64 = 0


class WeightDevice(Wire, frozen=True, kw_only=True):
    """A relative weight for one block device."""

    path: str = ""
    weight: UInt16 = 0


class HostConfig(Wire, frozen=True, kw_only=True):
    """The part of a container's configuration that depends on the host."""

    cpu_shares: int = 0
    memory: int = 0
    cgroup_parent: str = ""
    blkio_weight: UInt16 = 0
    blkio_weight_device: list[WeightDevice] | None = None
    blkio_device_read_bps: list[ThrottleDevice] | None = None
    blkio_device_write_bps: list[ThrottleDevice] | None = None
    blkio_device_read_iops: list[ThrottleDevice] | None = msgspec.field(
        default=None, name="BlkioDeviceReadIOps"
    )
    blkio_device_write_iops: list[ThrottleDevice] | None = msgspec.field(
        default=None, name="BlkioDeviceWriteIOps"
    )
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_realtime_period: int = 0
    cpu_realtime_runtime: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    devices: list[DeviceMapping] | None = None
    device_cgroup_rules: list[str] | None = None
    device_requests: list[DeviceRequest] | None = None
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    nano_cpus: int = 0
    oom_kill_disable: bool | None = None
    init: bool | None = None
    pids_limit: int | None = None
    ulimits: list[Ulimit] | None = None
    cpu_count: int = 0
    cpu_percent: int = 0
    io_maximum_iops: UInt64 = msgspec.field(default=0, name="IOMaximumIOps")
    io_maximum_bandwidth: UInt64 = msgspec.field(default=0, name="IOMaximumBandwidth")
    binds: list[str] | None = None
    container_id_file: str = msgspec.field(default="", name="ContainerIDFile")
    log_config: LogConfig = LogConfig()
    network_mode: str = ""
    port_bindings: PortMap | None = None
    restart_policy: RestartPolicy = RestartPolicy()
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: list[str] | None = None
    mounts: list[Mount] | None = None
    console_size: ConsoleSize = (0, 0)
    annotations: dict[str, str] | None = None
    cap_add: Words | None = None
    cap_drop: Words | None = None
    cgroupns_mode: str = ""
    dns: list[str] | None = None
    dns_options: list[str] | None = None
    dns_search: list[str] | None = None
    extra_hosts: list[str] | None = None
    group_add: list[str] | None = None
    ipc_mode: str = ""
    cgroup: str = ""
    links: list[str] | None = None
    oom_score_adj: int = 0
    pid_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    security_opt: list[str] | None = None
    storage_opt: dict[str, str] | None = None
    tmpfs: dict[str, str] | None = None
    uts_mode: str = msgspec.field(default="", name="UTSMode")
    userns_mode: str = ""
    shm_size: int = 0
    sysctls: dict[str, str] | None = None
    runtime: str = ""
    isolation: str = ""
    masked_paths: list[str] | None = None
    readonly_paths: list[str] | None = None


class NetworkingConfig(Wire, frozen=True, kw_only=True):
    """The networks that a new container joins, by name."""

    endpoints_config: dict[str, EndpointSettings | None] | None = None


class CreateRequest(ContainerConfig, frozen=True, kw_only=True):
    """The body of ``POST /containers/create``: a `ContainerConfig` with two more keys."""

    host_config: HostConfig | None = None
    networking_config: NetworkingConfig | None = None

    def config(self) -> ContainerConfig:
        """The configuration alone."""
        return ContainerConfig(
            **{name: getattr(self, name) for name in ContainerConfig.__struct_fields__}
        )


class State(Wire, frozen=True, kw_only=True):
    """What a container is doing. Times in nanoseconds since 1970, 0 for never.

    `status` is one of the keys of `drayman.engine.lifecycle`; the flags that Docker
    prints beside it are derived from it.
    """

    status: str = "created"
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at_ns: int = 0
    finished_at_ns: int = 0
    # A client stopped it, which `unless-stopped` respects at the engine's next start.
    manually_stopped: bool = False
    # Exits after which policy restarts are counted; zeroed by a manual start.
    restart_count: int = 0
    # The answer to "did it ever run", which tells `created` from `exited` after a failed start.
    ever_started: bool = False

    @property
    def running(self) -> bool:
        """Whether a process of the container lives, frozen or not."""
        return self.status in ("running", "paused", "restarting")


class Endpoint(Wire, frozen=True, kw_only=True):
    """A container's place on one network, as asked (`settings`) and as it is."""

    network_id: str
    settings: EndpointSettings = EndpointSettings()
    # The host's end of the link, while the container runs.
    host_interface: str = ""


class Container(Wire, frozen=True, kw_only=True):
    """Everything the engine remembers of one container; what the store keeps."""

    id: str
    name: str  # without the leading slash
    created_at_ns: int
    image_id: str  # sha256:…
    config: ContainerConfig
    host_config: HostConfig
    state: State = State()
    mount_points: list[MountPoint] = []
    endpoints: dict[str, Endpoint] = {}  # by network name
    # Ports as they are now: what was asked, with random host ports filled in at start.
    ports: PortMap = {}

    @property
    def argv(self) -> list[str]:
        """The command: entrypoint, then arguments."""
        return [*(self.config.entrypoint or []), *(self.config.cmd or [])]
