//! Whole archives and real trees: what is written out, what comes in, what must not get out.
//! Needs root, for devices, owners and mounts.
mod coding;
mod compressed;
mod dialects;
mod escape;
mod hostile;
mod layers;
mod limits;
mod looking;
mod packing;
mod picking;
mod replacing;
mod round_trip;
mod sparse;
mod support;
mod surveying;
mod transferring;
