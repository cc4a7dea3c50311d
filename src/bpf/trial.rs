//! Tries each program by itself: what this kernel takes, and in its own words why not.
//!
//! Each load fits the object to the kernel's types anew, which is most of the work. So those that load are loaded together, and only
//! what the kernel refuses is loaded alone, to hear why.

use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{ErrorKind, Link, MapCore, Object, ProgramMut};

use super::{builder, perf_event, words};

/// Where more kinds of hooks than that are refused, every program of the object is loaded alone.
const REFUSALS: usize = 3;
/// `BPF_LOG_STATS`: the verifier's counts without its trace.
const LOG_STATS: u32 = 4;
/// Where a probe without a place of its own is tried.
const ANY_FUNCTION: &str = "inet_sendmsg";

/// How far a program came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It did not load.
    Load,
    /// It loaded, and did not attach.
    Attach,
    /// It worked.
    Attached,
}

/// What came of one program.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The object it is of: the domain's name.
    pub object: &'static str,
    /// Its name.
    pub program: String,
    /// Its section, which tells the hook.
    pub section: String,
    /// How far it came.
    pub stage: Stage,
    /// The error where it did not work: kind and text.
    pub error: Option<(ErrorKind, String)>,
    /// Instructions that the verifier walked through.
    pub instructions: Option<u32>,
    /// What libbpf said, with the verifier's log.
    pub words: String,
}

/// Name and section of a program.
type Named = (String, String);

/// Tries each program of an object.
pub fn try_all<B>(object: &'static str) -> Vec<Trial>
where
    B: for<'o> SkelBuilder<'o> + Default,
{
    let mut storage = MaybeUninit::uninit();
    let Ok(open) = builder::<B>().open(&mut storage) else { return Vec::new() };
    let text = |name: &std::ffi::OsStr| name.to_string_lossy().into_owned();
    let all: Vec<Named> = open.open_object().progs().map(|program| (text(program.name()), text(program.section()))).collect();
    let mut left = all.clone();
    let mut trials = Vec::new();
    for _ in 0..=REFUSALS {
        match try_together::<B>(object, &left) {
            Ok(loaded) => {
                trials.extend(loaded);
                left.clear();
                break;
            }
            Err(refused) => {
                let Some((_, section)) = left.iter().find(|(program, _)| refused.as_ref() == Some(program)) else { break };
                // Its like are often refused, too.
                let kind = kind(section).to_owned();
                let (doubtful, rest) = left.into_iter().partition::<Vec<_>, _>(|(_, section)| self::kind(section) == kind);
                trials.extend(doubtful.into_iter().map(|named| try_one::<B>(object, named)));
                left = rest;
            }
        }
    }
    trials.extend(left.into_iter().map(|named| try_one::<B>(object, named)));
    trials.sort_by_key(|trial| all.iter().position(|(program, _)| *program == trial.program));
    trials
}

/// The kind of hook: `fexit` of `fexit/inet_sendmsg`.
fn kind(section: &str) -> &str {
    section.split_once('/').map_or(section, |(kind, _)| kind)
}

/// Loads these at once and attaches one after the other; or gives the name of the one that was refused, where libbpf said it.
fn try_together<B>(object: &'static str, programs: &[Named]) -> Result<Vec<Trial>, Option<String>>
where
    B: for<'o> SkelBuilder<'o> + Default,
{
    words::take();
    let mut storage = MaybeUninit::uninit();
    let loaded = open::<B>(&mut storage, |name| programs.iter().any(|(program, _)| name == program.as_str())).and_then(OpenSkel::load);
    let said = words::take();
    let mut skel = loaded.map_err(|_| words::last_program(&said).map(str::to_owned))?;
    let attached = programs.iter().map(|named| {
        let result = attach_by_name(skel.object_mut(), named);
        let words = format!("{}{}", words::of_program(&said, &named.0), words::take());
        let stage = if result.is_ok() { Stage::Attached } else { Stage::Attach };
        trial(object, named.clone(), stage, result, words)
    });
    Ok(attached.collect())
}

fn try_one<B>(object: &'static str, named: Named) -> Trial
where
    B: for<'o> SkelBuilder<'o> + Default,
{
    words::take();
    let mut stage = Stage::Load;
    let result = load_and_attach::<B>(&named, &mut stage);
    trial(object, named, stage, result, words::take())
}

fn trial(object: &'static str, (program, section): Named, stage: Stage, result: libbpf_rs::Result<()>, words: String) -> Trial {
    let error = result.err().map(|error| (error.kind(), format!("{error:#}")));
    Trial { object, program, section, stage, error, instructions: words::instructions(&words), words }
}

fn load_and_attach<B>(named: &Named, stage: &mut Stage) -> libbpf_rs::Result<()>
where
    B: for<'o> SkelBuilder<'o> + Default,
{
    let mut storage = MaybeUninit::uninit();
    let mut skel = open::<B>(&mut storage, |name| name == named.0.as_str())?.load()?;
    *stage = Stage::Attach;
    attach_by_name(skel.object_mut(), named)?;
    *stage = Stage::Attached;
    Ok(())
}

/// The object, to be loaded with the chosen programs only.
fn open<'o, B>(
    storage: &'o mut MaybeUninit<libbpf_rs::OpenObject>,
    chosen: impl Fn(&std::ffi::OsStr) -> bool,
) -> libbpf_rs::Result<<B as SkelBuilder<'o>>::Output>
where
    B: SkelBuilder<'o> + Default,
{
    let mut open = builder::<B>().open(storage)?;
    for mut program in open.open_object_mut().progs_mut() {
        let is_chosen = chosen(program.name());
        program.set_autoload(is_chosen);
        if is_chosen {
            program.set_log_level(LOG_STATS);
        }
    }
    Ok(open)
}

fn attach_by_name(object: &mut Object, (name, section): &Named) -> libbpf_rs::Result<()> {
    match object.progs_mut().find(|program| program.name() == name.as_str()) {
        Some(program) => attach(object, &program, section).map(drop),
        None => Ok(()),
    }
}

/// Something that detaches when it is dropped.
enum Hook {
    Link { _link: Link },
    Timer { _timer: perf_event::Event },
    None,
}

fn attach(object: &Object, program: &ProgramMut<'_>, section: &str) -> libbpf_rs::Result<Hook> {
    let link = match section {
        "syscall" => return Ok(Hook::None),
        "perf_event" => {
            let timer = perf_event::tick_on_cpu(0, 1, program.as_fd()).map_err(libbpf_rs::Error::from)?;
            return Ok(Hook::Timer { _timer: timer });
        }
        "kprobe" | "kretprobe" => program.attach_kprobe(section == "kretprobe", ANY_FUNCTION)?,
        "iter/bpf_sk_storage_map" => {
            let storage = object.maps().find(|map| map.map_type() == libbpf_rs::MapType::SkStorage);
            let storage = storage.ok_or_else(|| libbpf_rs::Error::from_raw_os_error(libc::ENOENT))?;
            program.attach_iter(storage.as_fd())?
        }
        _ => program.attach()?,
    };
    Ok(Hook::Link { _link: link })
}
