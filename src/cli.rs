//! The command line. Every flag here works; the help is written for someone who is logged in to a machine in trouble.

pub mod asked;
pub mod failure;
pub mod order;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::app::keymap::Preset;
use crate::app::look::{Palette, Units};
use crate::app::view::Shown;
use crate::batch::Format;
use crate::delay;
use crate::model::stacks::Measure;
use crate::profile::{Form, Whose};
use crate::sample::Domain;

const EXAMPLES: &str = "\
Examples:
  sudo ebtop                        every process, live; Enter on one shows its hottest functions
  sudo ebtop -s net -d 500ms        sorted by network bytes, twice a second
  sudo ebtop -u postgres            the processes of one user
  sudo ebtop -b -n 1                one table to standard output
  sudo ebtop -b -n 10 -o json       ten samples, one JSON object a line
  ebtop check                       what works on this machine, what does not, and the fix
  sudo ebtop stacks -p 1234 -o a.svg  a flame graph of ten seconds
  sudo ebtop record -o slow.rec     keep what happens; `ebtop replay slow.rec` plays it anywhere

Exit codes:
  0  success
  1  error; none of the processes of --pid is there
  2  wrong usage
  3  no privilege, and nothing useful is left without it
  4  batch output is incomplete (events lost, or a part was off)";

const STACKS_EXAMPLES: &str = "\
Examples:
  sudo ebtop stacks -p 1234                          where one process spends its CPU time
  sudo ebtop stacks -p 1234 -w off --for 30s         what it waits for
  sudo ebtop stacks --cgroup nginx.service -o a.svg  a flame graph of a service
  sudo ebtop stacks -a -f -o - | flamegraph.pl       of the whole machine
  sudo ebtop stacks --comm postgres -o a.pb.gz && go tool pprof -http : a.pb.gz";

/// Who uses CPU, memory and network, exactly; and why, one key away.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "ebtop", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; the live screen where nothing is named.
    #[command(subcommand)]
    pub command: Option<Commands>,

    /// What is shown and how.
    #[command(flatten)]
    pub show: Show,

    /// How often.
    #[command(flatten)]
    pub pace: Pace,

    /// Where samples come from.
    #[command(flatten)]
    pub collect: Collect,
}

/// Everything but the live screen.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Commands {
    /// Say what of ebtop works on this machine, what does not, why, and how to fix it
    ///
    /// Every hook is tried alone, too. EBTOP_FORCE=tasks=iterator,net=probes,mem=raw takes lower rungs than the best that works, for
    /// tests: docs/kernels.md
    Check {
        /// As one JSON object
        #[arg(long)]
        json: bool,
        /// Write here all that libbpf and the verifier said
        #[arg(long, value_name = "FILE")]
        log: Option<PathBuf>,
        /// Where samples come from.
        #[command(flatten)]
        collect: Collect,
    },
    /// Play a recording on the live screen
    Replay {
        /// A file that `ebtop record` wrote
        file: PathBuf,
        /// What is shown and how.
        #[command(flatten)]
        show: Show,
        /// How fast it plays: one recorded sample each time.
        #[command(flatten)]
        pace: Pace,
    },
    /// Write samples to a file for `ebtop replay`
    Record {
        /// The file; only its owner may read it, since command lines hold secrets
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Stop after this many samples (else at Ctrl-C)
        #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        iterations: Option<u64>,
        /// How often.
        #[command(flatten)]
        pace: Pace,
        /// Where samples come from.
        #[command(flatten)]
        collect: Collect,
    },
    /// Say which configuration file is used, and what is wrong with it
    Config {
        /// Print a file of all keys with their defaults and what they mean
        #[arg(long)]
        default: bool,
        /// Use this file
        #[arg(long, value_name = "PATH", conflicts_with = "default")]
        config: Option<PathBuf>,
    },
    /// Write stacks of processes for other tools, or print the hottest functions
    ///
    /// By default what is on the CPUs, as bcc's profile does; --weight off is what offcputime shows.
    #[command(after_help = STACKS_EXAMPLES)]
    Stacks(Stacks),
    /// Print the completion script of a shell
    ///
    /// For bash: ebtop completions bash > /etc/bash_completion.d/ebtop
    Completions {
        /// Whose
        shell: Shell,
    },
    /// Print the manual page: ebtop man | man -l -
    Man,
}

/// Whose stacks, by what, for how long, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Stacks {
    /// Whose.
    #[command(flatten)]
    pub whose: StacksOf,

    /// How long: 10, 500ms, 2m (Ctrl-C ends earlier and writes what there is)
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = delay::parse)]
    pub time: Duration,

    /// What stacks are taken of; all but cpu cost something at each event, and run for this command alone
    #[arg(short, long, value_name = "WHAT", value_enum, default_value_t = StacksWeight::Cpu)]
    pub weight: StacksWeight,

    /// Below each wait of --weight off, who ended it and what that was doing (as offwaketime shows it)
    #[arg(long)]
    pub wakers: bool,

    /// Samples a second on each CPU, for cpu
    #[arg(short = 'F', long, value_name = "N", default_value_t = 99, value_parser = clap::value_parser!(u32).range(1..=999))]
    pub hz: u32,

    /// The file, `-` for standard output; its end says the form: .folded .pb.gz .json (speedscope) .svg .txt
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// The form, where the file's name does not say it
    #[arg(long, value_name = "FORM", value_enum)]
    pub format: Option<Form>,

    /// The same as --format folded
    #[arg(short, long, conflicts_with = "format")]
    pub folded: bool,

    /// Kernel types for a kernel without /sys/kernel/btf/vmlinux [default: /usr/lib/ebtop/btf/RELEASE.btf]
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,
}

/// Whose stacks.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct StacksOf {
    /// Those of one process
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: Option<u32>,

    /// Those of all processes of that name (15 characters at most, as in the COMMAND of ps -e)
    #[arg(long, value_name = "NAME")]
    pub comm: Option<String>,

    /// Those of a cgroup and all below it: a path such as /system.slice, or a name such as nginx.service
    #[arg(long, value_name = "PATH")]
    pub cgroup: Option<String>,

    /// Those of all processes
    #[arg(short, long)]
    pub all: bool,
}

impl StacksOf {
    /// As one.
    pub fn whose(&self) -> Whose {
        match (self.pid, &self.comm, &self.cgroup) {
            (Some(pid), ..) => Whose::Pid(pid),
            (_, Some(name), _) => Whose::Comm(name.clone()),
            (_, _, Some(path)) => Whose::Cgroup(path.clone()),
            _ => Whose::Everyone,
        }
    }
}

/// What stacks are taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StacksWeight {
    /// Time on CPUs, by timed samples
    Cpu,
    /// Time off them: asleep, blocked, waiting for a CPU
    Off,
    /// Page faults
    Faults,
    /// Bytes of pages the kernel allocated
    Allocs,
    /// Bytes sent and received over TCP and UDP
    Net,
}

impl StacksWeight {
    /// What is added up.
    pub fn measure(self) -> Measure {
        match self {
            StacksWeight::Cpu => Measure::OnCpu,
            StacksWeight::Off => Measure::OffCpu,
            StacksWeight::Faults => Measure::Faults,
            StacksWeight::Allocs => Measure::Allocs,
            StacksWeight::Net => Measure::Net,
        }
    }
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct Pace {
    /// Time between two samples: 1, 0.5, 500ms, 2s, 1m (at least 100ms)
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = delay::parse)]
    pub delay: Duration,
}

/// Where samples come from.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Collect {
    /// Stack samples a second on each CPU, 0 for none. Odd rates avoid lockstep with timers
    #[arg(long, value_name = "N", default_value_t = 49, value_parser = clap::value_parser!(u32).range(0..=999))]
    pub hz: u32,

    /// Most memory for the tables that unwind stacks without frame pointers, MiB: half in the kernel, half to build them
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(2..=2048))]
    pub unwind_memory: u64,

    /// Use /proc only: no privilege needed, fewer columns
    #[arg(long)]
    pub no_bpf: bool,

    /// Start only these parts; without tasks, processes come from /proc. Batch output that shows another one ends with code 4
    #[arg(long, value_name = "PART,..", value_delimiter = ',', value_enum, conflicts_with = "no_bpf")]
    pub probes: Vec<Domain>,

    /// Kernel types for a kernel without /sys/kernel/btf/vmlinux [default: /usr/lib/ebtop/btf/RELEASE.btf]
    #[arg(long, value_name = "FILE", conflicts_with = "no_bpf")]
    pub btf: Option<PathBuf>,
}

/// What is shown and how.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Show {
    /// Print to standard output instead of the screen (also where standard output is no terminal)
    #[arg(short, long)]
    pub batch: bool,

    /// Stop after this many samples
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: Option<u64>,

    /// Form of batch output
    #[arg(short = 'o', long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// Columns of batch output, comma-separated; `help` lists them
    #[arg(long, value_name = "COL,..", value_delimiter = ',')]
    pub fields: Vec<String>,

    /// Sort by this column; `help` lists them
    #[arg(short, long, value_name = "COL")]
    pub sort: Option<String>,

    /// Show only what matches, e.g. `nginx` or `cpu>5`; `--sort help` lists the columns
    #[arg(short = 'F', long, value_name = "EXPR")]
    pub filter: Option<String>,

    /// Show only these processes
    #[arg(short, long, value_name = "PID,..", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: Vec<u32>,

    /// Show only processes of these users, by name or number
    #[arg(short, long, value_name = "USER,..", value_delimiter = ',')]
    pub user: Vec<String>,

    /// Begin with children below their parents
    #[arg(short, long, conflicts_with = "batch")]
    pub tree: bool,

    /// Begin with threads one by one
    #[arg(short = 'H', long, conflicts_with = "batch")]
    pub threads: bool,

    /// How far back one can look (keys , and J): 15m, 1h, 0 for not at all. Takes 4 MiB at most for each quarter of an hour; where that is
    /// too little, it reaches less far
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = delay::history, conflicts_with = "batch")]
    pub history: Duration,

    /// View to begin with, or to print
    #[arg(long, value_name = "VIEW", value_enum, default_value_t = Shown::default())]
    pub view: Shown,

    /// Refuse everything that changes the system, such as signals and nice values
    #[arg(long)]
    pub readonly: bool,

    /// Configuration file, in place of ~/.config/ebtop/config.toml or /etc/ebtop/config.toml
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,

    /// Colours
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Palette::ALL.map(Palette::name)))]
    pub theme: Option<String>,

    /// How bytes are counted: K = 1024 or k = 1000
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Units::ALL.map(Units::name)))]
    pub units: Option<String>,

    /// Whose keys
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Preset::ALL.map(Preset::name)))]
    pub keys: Option<String>,

    /// Draw with ASCII only (also where the locale is not UTF-8, and on the Linux console)
    #[arg(long)]
    pub ascii: bool,

    /// For slow lines, down to 9,600 baud: ASCII without colours, a small header, no mouse, and nothing waits behind a refresh
    #[arg(long)]
    pub low_bandwidth: bool,

    /// Leave the mouse to the terminal
    #[arg(short = 'M', long)]
    pub no_mouse: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::net::NetTable;
    use crate::app::view::View;
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nothing_named_means_the_live_screen() {
        let cli = parse("ebtop").unwrap();
        assert_eq!(cli.command, None);
        assert_eq!((cli.pace.delay, cli.collect.hz, cli.show.batch), (Duration::from_secs(1), 49, false));
        let both = parse("ebtop -tH").unwrap().show;
        assert!(both.tree && both.threads && !cli.show.tree && !cli.show.threads);
        assert!(!cli.show.readonly && parse("ebtop --readonly").unwrap().show.readonly);
    }

    #[test]
    fn batch_flags() {
        let cli = parse("ebtop -b -n 3 -d 500ms -o json --fields pid,cpu -s cpu -F cpu>5 -p 1,2 -u root,7 --view sockets --hz 0 --no-bpf")
            .unwrap();
        let show = cli.show;
        assert_eq!((show.batch, show.iterations, show.format, show.view), (true, Some(3), Format::Json, NetTable::Sockets.into()));
        assert_eq!(show.fields, ["pid", "cpu"]);
        assert_eq!((show.pid, show.user), (vec![1, 2], vec!["root".to_owned(), "7".to_owned()]));
        assert_eq!((show.sort.as_deref(), show.filter.as_deref()), (Some("cpu"), Some("cpu>5")));
        assert_eq!(
            (cli.pace.delay, cli.collect),
            (Duration::from_millis(500), Collect { hz: 0, unwind_memory: 64, no_bpf: true, probes: vec![], btf: None })
        );
    }

    #[test]
    fn commands() {
        let collect = Collect { hz: 49, unwind_memory: 64, no_bpf: false, probes: vec![Domain::Tasks, Domain::Mem], btf: Some("t".into()) };
        let check = parse("ebtop check --json --log f --probes tasks,mem --btf t").unwrap().command;
        assert_eq!(check, Some(Commands::Check { json: true, log: Some("f".into()), collect }));
        let record = parse("ebtop record -o f -n 5 -d 2").unwrap().command;
        let (pace, collect) =
            (Pace { delay: Duration::from_secs(2) }, Collect { hz: 49, unwind_memory: 64, no_bpf: false, probes: vec![], btf: None });
        assert_eq!(record, Some(Commands::Record { output: "f".into(), iterations: Some(5), pace, collect }));
        let Some(Commands::Replay { file, show, pace }) = parse("ebtop replay f --view cpu").unwrap().command else { panic!() };
        assert_eq!((file, show.view, pace.delay), (PathBuf::from("f"), View::Cpu.into(), Duration::from_secs(1)));
        let Some(Commands::Stacks(stacks)) = parse("ebtop stacks --comm nginx --for 2m -w off -F 49 -f -o -").unwrap().command else {
            panic!()
        };
        assert_eq!((stacks.whose.whose(), stacks.time), (Whose::Comm("nginx".into()), Duration::from_secs(120)));
        assert_eq!((stacks.weight.measure(), stacks.hz, stacks.folded), (Measure::OffCpu, 49, true));
        assert_eq!(parse("ebtop completions zsh").unwrap().command, Some(Commands::Completions { shell: Shell::Zsh }));
    }

    #[test]
    fn wrong_usage_is_refused() {
        for line in [
            "-d 50ms",
            "-d 2h",
            "-d -1",
            "-d nan",
            "--history 25h",
            "--history soon",
            "--hz 1000",
            "--probes disk",
            "--no-bpf --probes net",
            "--unwind-memory 1",
            "-n 0",
            "-p 0",
            "-p x",
            "-o xml",
            "--view disks",
            "--keys emacs",
            "-b check",
            "record",
            "replay f --hz 9",
            "-b -t",
            "-b -H",
            "-b --history 1h",
            "stacks",
            "stacks -p 1 -a",
            "stacks -p 1 --hz 0",
            "stacks -a -f --format svg",
        ] {
            assert!(parse(&format!("ebtop {line}")).is_err(), "{line}");
        }
        assert_eq!(parse("ebtop --help").unwrap_err().kind(), ErrorKind::DisplayHelp);
    }
}
