//! `drayman._native`'s network: namespaces, bridges and device pairs.
use std::net::Ipv4Addr;
use std::path::PathBuf;

use drayman_network as network;
use drayman_network::{Error, Mac, Veth};
use pyo3::prelude::*;

use crate::errors::{raise, Kind};

fn to_python(error: &Error) -> PyErr {
    let kind = match error {
        Error::Invalid(_) => Kind::InvalidParameter,
        Error::Conflict(_) => Kind::Conflict,
        Error::System { .. } => Kind::System,
    };
    raise(kind, error)
}

fn run(py: Python<'_>, task: impl FnOnce() -> Result<(), Error> + Send) -> PyResult<()> {
    py.detach(task).map_err(|error| to_python(&error))
}

fn address_of(text: &str) -> PyResult<Ipv4Addr> {
    let invalid = |_| raise(Kind::InvalidParameter, format!("{text} is no IPv4 address"));
    text.parse().map_err(invalid)
}

/// A prefix length of IPv4.
fn prefix_of(length: u8) -> PyResult<u8> {
    if length > 32 {
        return Err(raise(
            Kind::InvalidParameter,
            format!("/{length} is no prefix of IPv4"),
        ));
    }
    Ok(length)
}

#[pyfunction]
fn netns_create(py: Python<'_>, path: PathBuf) -> PyResult<()> {
    run(py, move || network::create_namespace(&path))
}

#[pyfunction]
fn netns_remove(py: Python<'_>, path: PathBuf) -> PyResult<()> {
    run(py, move || network::remove_namespace(&path))
}

#[pyfunction]
fn bridge_ensure(py: Python<'_>, name: &str, address: &str, prefix_length: u8) -> PyResult<()> {
    let (address, prefix_length) = (address_of(address)?, prefix_of(prefix_length)?);
    run(py, || network::ensure_bridge(name, address, prefix_length))
}

#[pyfunction]
fn bridge_remove(py: Python<'_>, name: &str) -> PyResult<()> {
    run(py, || network::remove_bridge(name))
}

#[pyfunction]
#[pyo3(signature = (
    netns_path, *, host_name, container_name, bridge, mac, address, prefix_length, gateway
))]
#[allow(clippy::too_many_arguments)] // each named, as Python names them
fn veth_attach(
    py: Python<'_>,
    netns_path: PathBuf,
    host_name: &str,
    container_name: &str,
    bridge: &str,
    mac: &str,
    address: &str,
    prefix_length: u8,
    gateway: &str,
) -> PyResult<()> {
    let veth = Veth {
        host_name,
        container_name,
        bridge,
        mac: mac.parse::<Mac>().map_err(|error| to_python(&error))?,
        address: address_of(address)?,
        prefix_length: prefix_of(prefix_length)?,
        gateway: address_of(gateway)?,
    };
    run(py, move || network::attach_veth(&netns_path, &veth))
}

#[pyfunction]
fn veth_remove(py: Python<'_>, host_name: &str) -> PyResult<()> {
    run(py, || network::remove_veth(host_name))
}

#[pyfunction]
fn connections_forget(py: Python<'_>, address: &str) -> PyResult<()> {
    let address = address_of(address)?;
    run(py, || network::forget_connections_to(address))
}

#[pyfunction]
fn datagrams_forget(py: Python<'_>, port: u16) -> PyResult<()> {
    run(py, || network::forget_datagrams_to(port))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(netns_create, module)?)?;
    module.add_function(wrap_pyfunction!(netns_remove, module)?)?;
    module.add_function(wrap_pyfunction!(bridge_ensure, module)?)?;
    module.add_function(wrap_pyfunction!(bridge_remove, module)?)?;
    module.add_function(wrap_pyfunction!(veth_attach, module)?)?;
    module.add_function(wrap_pyfunction!(veth_remove, module)?)?;
    module.add_function(wrap_pyfunction!(connections_forget, module)?)?;
    module.add_function(wrap_pyfunction!(datagrams_forget, module)?)?;
    Ok(())
}
