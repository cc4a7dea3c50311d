//! Tries one program at a time, loaded and attached alone: what this kernel takes, and in its own words why not.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{ErrorKind, Link, MapCore, Object, ProgramMut};

use super::{builder, perf_event, words};

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

/// Tries each program of an object.
pub fn try_all<B>(object: &'static str) -> Vec<Trial>
where
    B: for<'o> SkelBuilder<'o> + Default,
{
    let mut storage = MaybeUninit::uninit();
    let Ok(open) = builder::<B>().open(&mut storage) else { return Vec::new() };
    let text = |name: &std::ffi::OsStr| name.to_string_lossy().into_owned();
    let programs: Vec<_> = open.open_object().progs().map(|program| (text(program.name()), text(program.section()))).collect();
    programs.into_iter().map(|(program, section)| try_one::<B>(object, program, section)).collect()
}

fn try_one<B>(object: &'static str, program: String, section: String) -> Trial
where
    B: for<'o> SkelBuilder<'o> + Default,
{
    words::take();
    let mut stage = Stage::Load;
    let result = load_and_attach::<B>(&program, &section, &mut stage);
    let words = words::take();
    let error = result.err().map(|error| (error.kind(), format!("{error:#}")));
    Trial { object, program, section, stage, error, instructions: words::instructions(&words), words }
}

fn load_and_attach<B>(name: &str, section: &str, stage: &mut Stage) -> libbpf_rs::Result<()>
where
    B: for<'o> SkelBuilder<'o> + Default,
{
    /// `BPF_LOG_STATS`: the verifier's counts without its trace.
    const LOG_STATS: u32 = 4;
    let mut storage = MaybeUninit::uninit();
    let mut open = builder::<B>().open(&mut storage)?;
    for mut program in open.open_object_mut().progs_mut() {
        let chosen = program.name() == name;
        program.set_autoload(chosen);
        if chosen {
            program.set_log_level(LOG_STATS);
        }
    }
    let mut skel = open.load()?;
    *stage = Stage::Attach;
    let object = skel.object_mut();
    if let Some(program) = object.progs_mut().find(|program| program.name() == name) {
        attach(object, &program, section)?;
    }
    *stage = Stage::Attached;
    Ok(())
}

/// Something that detaches when it is dropped.
enum Hook {
    Link { _link: Link },
    Timer { _timer: OwnedFd },
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
