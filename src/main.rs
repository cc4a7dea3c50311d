//! Arguments → source → screen, batch output, recording or report.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::todo)]

use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{CommandFactory, Parser};
use ebtop::app::Start;
use ebtop::app::keymap::{KeyMap, Preset};
use ebtop::app::look::{Header, Look, Palette, Units};
use ebtop::app::user_names::UserNames;
use ebtop::batch::{self, BatchOptions, Format};
use ebtop::bpf::{self, trial::Trial};
use ebtop::cli::asked::{filter, look_for};
use ebtop::cli::failure::{Failure, PARTIAL};
use ebtop::cli::order::in_order;
use ebtop::cli::{Cli, Collect, Commands, Pace, Show, Stacks, StacksWeight};
use ebtop::collect::check::TypesNote;
use ebtop::collect::choice::Choice;
use ebtop::collect::start::{StartOptions, start};
use ebtop::collect::{Collector, check, types};
use ebtop::config::{self, Config, Keeper, Loaded};
use ebtop::export::hot;
use ebtop::files::{self, Opened, open_or_make};
use ebtop::profile::{self, Form, Output, ProfileError, ProfileOptions};
use ebtop::record::{Replay, keep};
use ebtop::rights::{Work, files_as_invoker, narrow};
use ebtop::run::{self, RunOptions};
use ebtop::sample::{Command, Update, Wants};
use ebtop::symbols;
use ebtop::ui::crash;
use ebtop::ui::pace::{self, SlowLine, Written};
use ebtop::ui::terminal;
use ebtop::ui::theme::Theme;
use ebtop::users;
use jiff::tz::TimeZone;

/// The first rates are counted over this, so that the screen is whole at once; all others over the interval.
const FIRST_RATES: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    bpf::memory::one_heap();
    crash::catch();
    files::allow_many();
    match run(Cli::parse_from(in_order(std::env::args_os()))) {
        Ok(code) => code,
        Err(error) => {
            let text = format!("{error:#}");
            let mend = files::mend(&text).map(|mend| format!(" — {mend}")).filter(|_| !text.contains("ulimit")).unwrap_or_default();
            eprintln!("ebtop: {text}{mend}");
            error.downcast_ref::<Failure>().map_or(ExitCode::FAILURE, |failure| ExitCode::from(failure.code()))
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        None => show(&cli.show, cli.pace, "", |haste| live(cli.pace, &cli.collect, haste)),
        Some(Commands::Replay { file, pace, show: options }) => show(&options, pace, "replay", |_| replay(pace, &file)),
        Some(Commands::Record { output, iterations, pace, collect }) => {
            if output.as_os_str() == "-" {
                return Err(Failure::Usage("a recording is a file, which `ebtop replay` needs whole: give it a name, or ./-".into()).into());
            }
            let wants = Wants { cgroups: true, cgroup_memory: true, ..Wants::NONE };
            let collector = begin(StartOptions { wants, ..options(pace, &collect)? })?;
            settle(true);
            keep(&collector, &output, iterations)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Commands::Stacks(options)) => stacks(&options),
        Some(Commands::Check { json, log, collect }) => report(json, log.as_deref(), &collect),
        Some(Commands::Config { default: true, .. }) => print(config::DEFAULT.as_bytes()),
        Some(Commands::Config { config, .. }) => report_config(config.as_deref()),
        Some(Commands::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "ebtop", &mut script);
            print(&script)
        }
        Some(Commands::Man) => print(&ebtop::man::page()?),
    }
}

fn live(pace: Pace, collect: &Collect, haste: bool) -> anyhow::Result<Collector> {
    begin(StartOptions { haste, ..options(pace, collect)? })
}

fn begin(options: StartOptions) -> anyhow::Result<Collector> {
    Ok(start(options).map_err(|error| Failure::NothingLeft(format!("{error:#}")))?)
}

/// Memory for unwind tables of a profile: what the screen has by default.
const UNWIND_BYTES: u64 = 64 << 20;

/// Takes a profile and writes it.
fn stacks(options: &Stacks) -> anyhow::Result<ExitCode> {
    if options.wakers && options.weight != StacksWeight::Off {
        return Err(Failure::Usage("--wakers says who ended waits: give --weight off with it".into()).into());
    }
    let profile = ProfileOptions {
        whose: options.whose.whose(),
        measure: options.weight.measure(),
        time: options.time,
        hz: options.hz,
        wakers: options.wakers,
    };
    choose_types(options.btf.as_deref())?;
    let collector = begin(StartOptions {
        interval: profile::INTERVAL,
        hz: options.hz,
        unwind_bytes: UNWIND_BYTES,
        bpf: true,
        choice: forced(Choice::default())?,
        haste: false,
        wants: Wants::NONE,
    })?;
    let names = symbols::spawn(collector.origin);
    settle(true);
    let form = options.format.or(options.folded.then_some(Form::Folded));
    let output = Output::open(options.output.as_deref(), form).map_err(failure)?;
    let profile = match profile::take(&collector, names, &profile) {
        Ok(profile) => profile,
        Err(error) => {
            output.discard();
            return Err(failure(error));
        }
    };
    if let Some(name) = output.write(&profile)? {
        eprintln!("{}: {name}", hot::summary(&profile));
    }
    Ok(if profile.lost > 0 { ExitCode::from(PARTIAL) } else { ExitCode::SUCCESS })
}

fn failure(error: ProfileError) -> anyhow::Error {
    match error {
        ProfileError::Usage(text) => Failure::Usage(text).into(),
        ProfileError::Refused(text) => Failure::NothingLeft(format!("no stacks here: {text}")).into(),
        other => other.into(),
    }
}

/// With the rungs that the environment asks for.
fn forced(choice: Choice) -> anyhow::Result<Choice> {
    let force = std::env::var("EBTOP_FORCE").unwrap_or_default();
    Ok(choice.force(&force).map_err(Failure::Usage)?)
}

/// The file that `--btf` names is for kernels that do not describe their types.
fn choose_types(asked: Option<&Path>) -> anyhow::Result<()> {
    types::choose(asked).map_err(Failure::Usage)?;
    if let Some(TypesNote::LeftOut(file)) = types::note() {
        eprintln!("ebtop: warning: --btf {file} is left out: this kernel describes its own types");
    }
    Ok(())
}

/// What was asked of collection, by options and by the environment.
fn options(pace: Pace, collect: &Collect) -> anyhow::Result<StartOptions> {
    let choice = forced(Choice::only(&collect.probes))?;
    choose_types(collect.btf.as_deref())?;
    Ok(StartOptions {
        interval: pace.delay,
        hz: collect.hz,
        unwind_bytes: collect.unwind_memory << 20,
        bpf: !collect.no_bpf,
        choice,
        haste: false,
        wants: Wants::NONE,
    })
}

/// Everything is attached: from here on this thread has no more rights than it needs, and makes files as the user behind sudo.
fn settle(readonly: bool) {
    for refusal in [files_as_invoker(), narrow(Work::Screen { readonly })].into_iter().filter_map(Result::err) {
        eprintln!("ebtop: warning: {refusal}");
    }
}

fn replay(pace: Pace, file: &Path) -> anyhow::Result<Collector> {
    let recording = Replay::open(file)?;
    Collector::start(pace.delay, move || {
        let _ = narrow(Work::Name);
        Ok(recording)
    })
}

/// Options are checked before anything is loaded into the kernel. The collector is told whether a screen waits for it.
fn show(options: &Show, pace: Pace, source: &str, collector: impl FnOnce(bool) -> anyhow::Result<Collector>) -> anyhow::Result<ExitCode> {
    if let Some(names) = batch::known_names(options.format, options.view, &options.fields, options.sort.as_deref()) {
        return print(names.as_bytes());
    }
    let recorded = !source.is_empty();
    let filter = filter(options, recorded)?;
    // A recording has the names of its own machine.
    let users = if recorded { UserNames::default() } else { UserNames::new(users::local()) };
    let batch = BatchOptions {
        iterations: options.iterations,
        filter: filter.clone(),
        users: users.clone(),
        recorded,
        ..BatchOptions::new(options.format, options.view, &options.fields, options.sort.as_deref())
            .map_err(|e| Failure::Usage(e.to_string()))?
    };
    let screen = !options.batch && std::io::stdout().is_terminal();
    if !screen && (options.tree || options.threads) {
        return Err(Failure::Usage("--tree and --threads are for the screen: leave them out of batch output".into()).into());
    }
    if screen && (options.format != Format::Text || !options.fields.is_empty()) {
        return Err(Failure::Usage("--format and --fields are for batch output: add -b".into()).into());
    }
    if screen && std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(Failure::Usage("TERM=dumb: nothing can be drawn there; add -b for text, or set TERM if that is wrong".into()).into());
    }
    if !screen {
        look_for(options, recorded, &filter)?;
    }
    // Batch output has no looks, but a file that was named is there.
    let loaded = if screen || options.config.is_some() {
        config::load(options.config.as_deref()).map_err(Failure::Usage)?
    } else {
        Loaded::default()
    };
    let collector = collector(screen)?;
    // The processes of a recording are not those of this machine.
    let readonly = options.readonly || recorded;
    // That thread needs other rights than this one, which it can only have from before.
    let names = symbols::spawn(collector.origin);
    settle(!screen || readonly);
    if !screen {
        let outcome = batch::run_with(&collector, names, &batch, &mut BufWriter::new(std::io::stdout().lock()))?;
        return Ok(if outcome.partial { ExitCode::from(PARTIAL) } else { ExitCode::SUCCESS });
    }
    let start = Start {
        interval: pace.delay,
        view: options.view.view,
        net: options.view.net,
        tree: options.tree,
        threads: options.threads,
        sort: options.sort.clone(),
        filter,
        who: who(source, options.readonly),
        replay: recorded,
        readonly,
        look: look(options, &loaded.config),
        keys: KeyMap::new(options.keys.as_deref().and_then(Preset::named).unwrap_or(loaded.config.preset), &loaded.config.keys),
        users,
        notice: loaded.notice(),
        clipboard: terminal::clipboard(options.ascii || options.low_bandwidth, |name| std::env::var(name).ok()),
        history: options.history,
        zone: Some(TimeZone::system()),
    };
    if !recorded {
        collector.send(Command::SampleSoon(FIRST_RATES));
    }
    let slow = options.low_bandwidth;
    let theme = Theme {
        colour: std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && (!slow || options.theme.is_some()),
        ascii: slow || options.ascii || loaded.config.ascii || !terminal::takes_utf8(|name| std::env::var(name).ok()),
        ..Theme::default()
    };
    let mouse = !slow && !options.no_mouse && !loaded.config.no_mouse;
    let slow_line = slow.then(|| SlowLine { bytes_per_sec: pace::BYTES_PER_SEC, written: Written::default() });
    let keeper = Keeper::new(&loaded, &start.look);
    run::run(&collector, names, RunOptions { start, mouse, theme, keeper, iterations: options.iterations, slow_line })?;
    Ok(ExitCode::SUCCESS)
}

/// What the file says, unless the command line says otherwise.
fn look(options: &Show, config: &Config) -> Look {
    let palette = options.theme.as_deref().and_then(Palette::named).unwrap_or(config.look.palette);
    let units = options.units.as_deref().and_then(Units::named).unwrap_or(config.look.units);
    let header = if options.low_bandwidth { Header::Small } else { config.look.header };
    Look { palette, units, header, ..config.look.clone() }
}

fn report_config(named: Option<&Path>) -> anyhow::Result<ExitCode> {
    let loaded = config::load(named).map_err(Failure::Usage)?;
    let path = |path: &Option<PathBuf>, none: &str| path.as_ref().map_or(none.to_owned(), |path| path.display().to_string());
    let mut text = match (&loaded.from, &loaded.faulty) {
        (None, Some(faulty)) => format!("not read:  {}; all defaults hold\n", faulty.display()),
        (from, _) => format!("read from: {}\n", path(from, "nowhere; all defaults hold")),
    };
    text += &format!("saved to:  {}\n", path(&loaded.save_to, "nowhere"));
    loaded.warnings.iter().for_each(|warning| text += &format!("warning:   {warning}\n"));
    if !loaded.warnings.is_empty() {
        text += "`ebtop config --default` prints all keys and what they mean\n";
    }
    print(text.as_bytes())
}

/// Who runs ebtop, for the header.
fn who(source: &str, readonly: bool) -> String {
    if !source.is_empty() {
        return source.to_owned();
    }
    let uid = rustix::process::geteuid().as_raw();
    let name = users::name_soon(uid).unwrap_or(uid.to_string());
    if readonly { name + ", read-only" } else { name }
}

/// Tries every domain for real, and every hook alone, then says what works.
fn report(json: bool, log: Option<&Path>, collect: &Collect) -> anyhow::Result<ExitCode> {
    let collector = start(options(Pace { delay: Duration::from_secs(3600) }, collect)?)?;
    let status = match collector.updates.recv()? {
        Update::Sample(sample) => sample.status.clone(),
        _ => Vec::new(),
    };
    // Samples of this machine, and the tables that their stacks ask for, are not what is wanted.
    drop(collector);
    let host = check::gather();
    let trials = bpf::try_every_program();
    let (findings, hooks) = (check::findings(&host), check::hooks(&trials, &host, &status));
    if let Some(path) = log {
        keep_words(path, &trials)?;
    }
    print(
        match json {
            true => format!("{}\n", check::json(&findings, &status, &hooks)),
            false => check::text(&findings, &status, &hooks),
        }
        .as_bytes(),
    )
}

/// Writes what libbpf and the verifier said of each hook into a new file.
fn keep_words(path: &Path, trials: &[Trial]) -> anyhow::Result<()> {
    files_as_invoker().map_err(anyhow::Error::msg)?;
    let words = trials.iter().map(|trial| format!("=== {} {} {}\n{}", trial.object, trial.program, trial.section, trial.words));
    let text: String = words.collect();
    let wrong = || format!("cannot write {}", path.display());
    match open_or_make(path).with_context(wrong)? {
        Opened::New(mut file) => file.write_all(text.as_bytes()).with_context(wrong),
        Opened::Old(_) => anyhow::bail!("{} exists: give another name, or remove it first", path.display()),
    }
}

/// Writes all at once; a reader that went away has seen enough.
fn print(text: &[u8]) -> anyhow::Result<ExitCode> {
    match std::io::stdout().write_all(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot write the output"),
        _ => Ok(ExitCode::SUCCESS),
    }
}
