use clap::Parser;

/// Runs this library's workers beside real Java workers on one lease table.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask interop")]
pub struct Options {
    /// Only the scenarios that tell most, within a few minutes.
    #[arg(long)]
    pub short: bool,
    /// Succeed although scenarios were skipped because something is not installed.
    #[arg(long)]
    pub allow_skip: bool,
    /// Only scenarios with this in their name.
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// How many scenarios run beside each other.
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub parallel: u32,
    /// Only print the names of the scenarios.
    #[arg(long)]
    pub list: bool,
    /// Instead of scenarios, run the conformance suites on servers that are used nowhere else.
    #[arg(long, conflicts_with_all = ["short", "list"])]
    pub second_servers: bool,
    /// Instead of scenarios, count what fleets of one kind ask of the lease table.
    #[arg(long, conflicts_with_all = ["short", "list", "second_servers"])]
    pub cost: bool,
}
