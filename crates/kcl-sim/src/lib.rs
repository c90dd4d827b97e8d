//! How the library is proved. Not published.
//!
//! [`spec`] holds executable specifications of the protocol: they drive the machines and planners of `kcl-core`
//! through every schedule within small bounds. The rest is a deterministic simulator: [`exec`] runs the shipped drivers
//! in virtual time, [`world`] is the lease table, the stream and the processors around them, [`scenario`] makes a run
//! from a seed, and [`oracle`] judges what was recorded in its [`trace`].

pub mod exec;
pub mod keyed;
pub mod mutants;
pub mod oracle;
pub mod scenario;
pub mod spec;
pub mod trace;
pub mod world;
