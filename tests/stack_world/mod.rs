//! Builds stack samples from lines such as `main;work;K:do_read`, root first, and names their addresses as the symbol thread would.
#![allow(dead_code, reason = "each test file uses its own share")]

use std::collections::HashMap;
use std::sync::Arc;

use ebtop::app::names::Names;
use ebtop::app::stacks::StacksView;
use ebtop::model::stacks::{Scope, StackHistory};
use ebtop::sample::{Comm, Domain, DomainStatus, Health, ProcKey, Sample, StackCount, StackQuality, Stacks, Task, Waker, Weight};
use ebtop::symbols::{Answer, Frame, FrameKind, Request};

/// Bytes of one made-up function.
const FUNCTION: u64 = 0x1000;

pub const NGINX: ProcKey = ProcKey { pid: 4112, start_ns: 7 };
const OTHER: ProcKey = ProcKey { pid: 977, start_ns: 3 };

/// One process and the functions it can be in. `K:` marks kernel functions, `J:` those written at run time, `P:` those of Python, `?` nameless ones;
/// `outer>inner` is one address in `inner`, inlined into `outer`.
#[derive(Default)]
pub struct World {
    functions: HashMap<u64, String>,
    pub stacks: Vec<StackCount>,
}

impl World {
    /// A world with these stacks of `NGINX`, each `(stack, count)`.
    pub fn of(stacks: &[(&str, u32)]) -> Self {
        let mut world = World::default();
        for (stack, count) in stacks {
            world.add(NGINX, stack, *count);
        }
        world
    }

    pub fn add(&mut self, key: ProcKey, stack: &str, count: u32) -> &mut StackCount {
        let mut kernel = Vec::new();
        let mut user = Vec::new();
        let frames: Vec<&str> = stack.split(';').collect();
        for frame in frames.iter().rev() {
            let list = if frame.starts_with("K:") { &mut kernel } else { &mut user };
            // A caller's address is the last byte of its call: here of the whole function.
            let offset = if list.is_empty() { 0x10 } else { FUNCTION - 1 };
            list.push(self.address(frame) + offset);
        }
        let quality = StackQuality::Complete;
        let (kernel, user): (Arc<[u64]>, Arc<[u64]>) = (kernel.into(), user.into());
        let comm = Comm::new(if key == NGINX { b"nginx" } else { b"other" });
        self.stacks.push(StackCount {
            key,
            tid: key.pid,
            comm,
            count,
            value: count.into(),
            kernel,
            user,
            quality,
            ..StackCount::default()
        });
        self.stacks.last_mut().unwrap()
    }

    /// Waits of `NGINX` in `main;poll`: half a second that a thread ends in `main;answer`, 0.3 s that a timer ends, 0.1 s that go on.
    pub fn add_waits(&mut self) {
        let ends = [
            Some((OTHER, "backend", false, "main;answer;K:wake_up", 500_000_000)),
            Some((ProcKey::default(), "", true, "K:timer", 300_000_000)),
            None,
        ];
        for end in ends {
            let waker = end.map(|(key, comm, interrupt, stack, _)| {
                self.add(key, stack, 0);
                let StackCount { tid, kernel, user, .. } = self.stacks.pop().unwrap();
                Arc::new(Waker { key, tid, comm: Comm::new(comm.as_bytes()), interrupt, kernel, user })
            });
            let wait = self.add(NGINX, "main;poll;K:schedule", u32::from(waker.is_some()));
            wait.weight = Weight::Sleeping;
            wait.value = end.map_or(100_000_000, |(.., value)| value);
            wait.waker = waker;
        }
    }

    /// The same in every world, so that worlds can follow each other in one history.
    fn address(&mut self, frame: &str) -> u64 {
        let id = frame.bytes().fold(7, |hash: u64, byte| (hash * 31 + u64::from(byte)) % 0xf_ffff_ffff);
        self.functions.insert(id, frame.to_string());
        id * FUNCTION
    }

    pub fn sample(&self, at_s: u64) -> Sample {
        let mut keys: Vec<ProcKey> = self.stacks.iter().map(|s| s.key).collect();
        keys.sort_unstable();
        keys.dedup();
        let task = |key| Task { key, comm: Comm::new(if key == NGINX { b"nginx" } else { b"other" }), ..Task::default() };
        Sample {
            at_ns: at_s * 1_000_000_000,
            tasks: keys.into_iter().map(task).collect(),
            stacks: Stacks { hz: 49, counts: self.stacks.clone(), interpreted: Vec::new() },
            status: vec![DomainStatus { domain: Domain::Stacks, health: Health::Live, lost: 0, cost: Some("~4 µs a sample".into()) }],
            ..Sample::default()
        }
    }

    pub fn answer(&self, request: Request) -> Answer {
        let name = |&address: &u64| (address, self.frames(address));
        Answer {
            key: request.key,
            user: request.user.iter().map(name).collect(),
            kernel: request.kernel.iter().map(name).collect(),
            ..Answer::default()
        }
    }

    fn frames(&self, address: u64) -> Vec<Frame> {
        let Some(spec) = self.functions.get(&(address / FUNCTION)) else { return Vec::new() };
        spec.rsplit('>').map(|name| frame(name, address % FUNCTION)).collect()
    }
}

fn frame(spec: &str, offset: u64) -> Frame {
    let (kind, name, module) = match spec.split_once(':') {
        Some(("K", name)) => (FrameKind::Kernel, name, "vmlinux"),
        Some(("J", name)) => (FrameKind::Jit, name, "[anon]"),
        Some(("P", name)) => (FrameKind::Python, name, "app.py"),
        _ => (FrameKind::Native, spec, "nginx"),
    };
    let (name, module) = name.split_once('@').unwrap_or((name, module));
    let source = (kind == FrameKind::Native).then(|| (format!("{name}.c"), 100 + offset as u32));
    Frame { function: (name != "?").then(|| name.to_string()), module: module.to_string(), offset, kind, source }
}

/// Brings the view up to date, with all names.
pub fn refresh(view: &mut StacksView, history: &StackHistory, names: &mut Names, world: &World) {
    loop {
        let requests = view.refresh(history, names);
        if requests.is_empty() {
            return;
        }
        for request in requests {
            names.answer(world.answer(request));
        }
    }
}

/// A history with one tick of this world, and the view of `NGINX` on it.
pub fn view_of(world: &World) -> (StacksView, StackHistory, Names) {
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    history.push(&Sample { at_ns: 69_000_000_000, ..Sample::default() });
    history.push(&world.sample(99));
    view.open(Scope::Process(NGINX), "nginx");
    refresh(&mut view, &history, &mut names, world);
    (view, history, names)
}

/// A web server that mostly compresses.
pub fn nginx() -> World {
    let main = "_start;main;ngx_worker_process_cycle";
    let request = format!("{main};ngx_process_events_and_timers;ngx_http_process_request");
    let gzip = format!("{request};ngx_http_gzip_body_filter;deflate@libz.so.1.2.13");
    let sys = "K:entry_SYSCALL_64_after_hwframe;K:do_syscall_64";
    let send = format!("{request};ngx_writev;writev@libc.so.6;{sys};K:__x64_sys_writev;K:tcp_sendmsg;K:tcp_sendmsg_locked");
    let wait = format!("{main};ngx_process_events_and_timers;epoll_wait@libc.so.6;{sys};K:__x64_sys_epoll_wait;K:do_epoll_wait");
    let mut stacks = vec![
        (format!("{gzip};deflate_slow@libz.so.1.2.13"), 590),
        (format!("{gzip};deflate_slow@libz.so.1.2.13;longest_match@libz.so.1.2.13"), 57),
        (format!("{gzip};crc32@libz.so.1.2.13"), 31),
        (send.clone(), 66),
        (format!("{send};K:tcp_push;K:__tcp_transmit_skb"), 121),
        (format!("{send};K:skb_copy"), 40),
        (format!("{main};ngx_process_events_and_timers;ngx_event_accept;accept4@libc.so.6;{sys};K:__sys_accept4"), 118),
        (wait.clone(), 20),
        (format!("{wait};K:schedule_hrtimeout_range;K:schedule"), 88),
        (format!("{request};J:lua_handler;J:lua_rewrite"), 180),
    ];
    stacks.extend((0..12).map(|i| (format!("{main};ngx_timer_{i}"), 1)));
    World::of(&stacks.iter().map(|(stack, count)| (stack.as_str(), *count)).collect::<Vec<_>>())
}
