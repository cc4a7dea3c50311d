//! Loads `stacks.bpf.c`.

use std::mem::MaybeUninit;

use libbpf_rs::skel::{OpenSkel, SkelBuilder};
use libbpf_rs::{MapHandle, ProgramHandle};

use crate::bpf::builder;
use crate::bpf::stacks::StacksSkelBuilder;
use crate::collect::check::refused;
use crate::unwind::TableMaps;

/// What walks of stacks read, shared by every object whose programs walk them.
#[derive(Debug)]
pub struct WalkMaps {
    /// Unwind tables.
    pub tables: TableMaps,
    /// Where the interpreters of Python processes are; `None` where Python frames cannot be read.
    pub python: Option<MapHandle>,
}

/// Handles that outlive the skeleton.
pub(super) struct Handles {
    pub(super) program: ProgramHandle,
    pub(super) ring: MapHandle,
    pub(super) lost: MapHandle,
    pub(super) maps: WalkMaps,
    /// Where interpreters are told of; why Python frames are left out.
    pub(super) python: Result<MapHandle, String>,
}

/// Loads the program, without its Python part where the kernel refuses that, or where it is not wanted.
pub(super) fn load(ring_bytes: u32, native: bool) -> Result<Handles, String> {
    let whole = if native { None } else { Some(load_part(ring_bytes, true)) };
    let why = match whole {
        Some(Ok(handles)) => return Ok(handles),
        Some(Err(why)) => format!("the kernel refused to read them: {why}"),
        None => "they were not asked for (EBTOP_FORCE)".into(),
    };
    let loaded = load_part(ring_bytes, false).map_err(|e| refused(&e))?;
    let maps = WalkMaps { python: None, ..loaded.maps };
    Ok(Handles { maps, python: Err(format!("no Python frames: {why}")), ..loaded })
}

fn load_part(ring_bytes: u32, with_python: bool) -> libbpf_rs::Result<Handles> {
    let mut storage = MaybeUninit::uninit();
    let mut open = builder::<StacksSkelBuilder>().open(&mut storage)?;
    open.maps.stacks_ring.set_max_entries(ring_bytes)?;
    if let Some(config) = open.maps.rodata_data.as_deref_mut() {
        config.ring_bytes = u64::from(ring_bytes);
        config.with_python = with_python;
    }
    let skel = open.load()?;
    let maps = &skel.maps;
    Ok(Handles {
        program: ProgramHandle::try_from(&skel.progs.stacks_tick)?,
        ring: MapHandle::try_from(&maps.stacks_ring)?,
        lost: MapHandle::try_from(&maps.stacks_lost)?,
        maps: WalkMaps {
            tables: TableMaps {
                chunks: MapHandle::try_from(&maps.unwind_chunks)?,
                rules: MapHandle::try_from(&maps.unwind_rules)?,
                procs: MapHandle::try_from(&maps.unwind_procs)?,
            },
            python: Some(MapHandle::try_from(&maps.stacks_python)?),
        },
        python: Ok(MapHandle::try_from(&maps.stacks_python)?),
    })
}
