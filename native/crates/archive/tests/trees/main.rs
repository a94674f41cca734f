//! Whole archives and real trees: what is written out, what comes in, what must not get out.
//! Needs root, for devices, owners and mounts.
mod dialects;
mod escape;
mod packing;
mod replacing;
mod support;
