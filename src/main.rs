//! Arguments → source → screen, batch or report.

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use ebtop::cli::{Cli, Collect, Commands};
use ebtop::collect::start::{StartOptions, start};
use ebtop::collect::{Collector, check};
use ebtop::sample::Update;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ebtop: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Some(Commands::Check { json }) => report(json),
        Some(Commands::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "ebtop", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            let c = collector(&cli.show.collect)?;
            let mut n = 0;
            for u in c.updates.iter() {
                if let Update::Sample(s) = u {
                    println!(
                        "{} tasks {} exits {} stacks {:?} {:?} own {}",
                        s.at_ns,
                        s.tasks.len(),
                        s.exits.len(),
                        s.stacks.counts.len(),
                        s.status,
                        s.own_cpu_ns
                    );
                    n += 1;
                    if n > 5 {
                        break;
                    }
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn collector(collect: &Collect) -> anyhow::Result<Collector> {
    start(StartOptions { interval: collect.delay, hz: collect.hz, bpf: !collect.no_bpf })
}

/// Tries every domain for real, then says what works.
fn report(json: bool) -> anyhow::Result<ExitCode> {
    let collector = start(StartOptions { interval: std::time::Duration::from_secs(3600), hz: 49, bpf: true })?;
    let status = match collector.updates.recv()? {
        Update::Sample(sample) => sample.status.clone(),
        _ => Vec::new(),
    };
    let findings = check::findings(&check::gather());
    let mut out = std::io::stdout();
    match json {
        true => writeln!(out, "{}", check::json(&findings, &status))?,
        false => write!(out, "{}", check::text(&findings, &status))?,
    }
    Ok(ExitCode::SUCCESS)
}
