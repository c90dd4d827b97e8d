//! Keeps an embedded Kinesis and an embedded DynamoDB running, so that the examples work across processes without AWS.
//!
//! ```text
//! cargo xtask local --stream orders --shards 4
//! ```
//!
//! It prints the variables that lead any AWS SDK to these servers, one `export` a line, and stays until Ctrl-C or SIGTERM.
//! Paste the lines into another shell and run the examples there. Everything is forgotten when it stops.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to its user")]

use std::process::ExitCode;

use clap::Parser;
use kcl::error_chain;
use kcl_examples::local::{CREDENTIAL, LocalAws, REGION};
use kcl_examples::logging;
use kcl_examples::signals::StopSignals;

/// An embedded Kinesis and an embedded DynamoDB on loopback ports, until Ctrl-C.
#[derive(Parser)]
#[command(name = "kcl-local")]
struct Args {
    /// Port of Kinesis; 0 lets the system pick one.
    #[arg(long, default_value_t = 4567)]
    kinesis_port: u16,
    /// Port of DynamoDB; 0 lets the system pick one.
    #[arg(long, default_value_t = 8000)]
    dynamodb_port: u16,
    /// Create a stream of this name.
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// How many shards the stream has.
    #[arg(long, default_value_t = 4, requires = "stream", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    shards: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    logging::init(false);
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not through the log: whoever has turned that off needs to know all the same.
            eprintln!("error: {}", error_chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let signals = StopSignals::listen()?;
    let servers = LocalAws::start(args.kinesis_port, args.dynamodb_port)?;
    if let Some(stream) = &args.stream {
        servers.create_stream(stream, args.shards).await?;
    }
    println!("export AWS_ENDPOINT_URL_KINESIS={}", servers.kinesis_url);
    println!("export AWS_ENDPOINT_URL_DYNAMODB={}", servers.dynamodb_url);
    println!("export AWS_ACCESS_KEY_ID={CREDENTIAL}");
    println!("export AWS_SECRET_ACCESS_KEY={CREDENTIAL}");
    println!("export AWS_REGION={REGION}");
    Ok(signals.stop_requested().await?)
}
