//! How the library is proved. Not published.
//!
//! [`spec`] holds executable specifications of the protocol: they drive the machines and planners of `kcl-core`
//! through every schedule within small bounds.

pub mod spec;
