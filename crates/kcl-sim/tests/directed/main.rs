//! Directed runs: one defect that was found, or one fault that must not matter, each written down as it happens. Every
//! invariant must hold, and the fault must really have happened.

mod found;
mod java;
mod native;
mod processes;
mod rows;
mod seen;
mod writes;
