//! Samples one process, and knows its stacks by name.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ebtop::collect::stacks::Stacks;
use ebtop::collect::watch::Watcher;
use ebtop::sample::{INTERPRETED, Origin, Probe, ProcKey, StackCount, StackQuality, Task, Watch, Watched as Who};
use ebtop::symbols::{Request, spawn};

/// Two seconds of samples are enough to tell 98 % from 97, three to know a share within 3 points.
pub const HZ: u32 = 997;
/// The first samples of a process are taken before its table is there; they are marked, and not judged here. On a busy machine a large
/// table takes that long.
const WARM: Duration = Duration::from_secs(60);

pub struct Watched {
    pub counts: Vec<StackCount>,
    pub names: HashMap<u64, String>,
    /// Module of addresses that no symbol covers.
    pub nameless: HashMap<u64, String>,
    pub printed: String,
}

/// Runs a program until it ends or `seconds` have passed since it was known.
pub fn watch(command: &mut Command, seconds: f64) -> Watched {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    watch_child(child, seconds)
}

pub fn watch_child(mut child: Child, seconds: f64) -> Watched {
    let mut stacks = Stacks::open(HZ).unwrap();
    let pid = child.id();
    let (begin, mut known) = (Instant::now(), false);
    let (mut first, mut whole) = (None, None);
    while !known && begin.elapsed() < WARM {
        std::thread::sleep(Duration::from_millis(20));
        let counts = stacks.read().counts;
        let mine = || counts.iter().filter(|c| c.key.pid == pid && !c.user.is_empty());
        let samples = |quality: StackQuality| mine().filter(|c| c.quality == quality).map(|c| c.count).sum::<u32>();
        let (complete, all) = (samples(StackQuality::Complete), mine().map(|c| c.count).sum::<u32>());
        first = first.or((all > 0).then(Instant::now));
        whole = whole.or((complete > 0).then(Instant::now));
        // One whole stack may do without the table of its largest file. Code written at run time never has one.
        known = all >= 3 && samples(StackQuality::NoTable) == 0 && complete + samples(StackQuality::Jit) > 0;
    }
    let since_first = |at: Option<Instant>| at.zip(first).map(|(at, first)| at - first);
    println!("{:?} from the first sample to a whole stack, {:?} to all", since_first(whole), since_first(Some(Instant::now())));
    let (requests, answers) = spawn(Origin::Here);
    let (mut counts, mut names, mut nameless) = (Vec::<StackCount>::new(), HashMap::new(), HashMap::new());
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut exited = false;
    while !exited && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
        exited = child.try_wait().unwrap().is_some();
        let new: Vec<_> = stacks.read().counts.into_iter().filter(|c| c.key.pid == pid).collect();
        let mut request =
            Request { key: new.first().map_or(ProcKey::default(), |c| c.key), user: vec![], kernel: vec![], ..Request::default() };
        for stack in &new {
            request.user.extend(stack.user.iter().filter(|a| **a < INTERPRETED && !names.contains_key(*a)));
        }
        requests.send(request).unwrap();
        for (address, frames) in answers.recv().unwrap().user {
            match frames.iter().find_map(|f| f.function.clone()) {
                Some(name) => drop(names.insert(address, name)),
                None => {
                    drop(nameless.insert(address, frames.first().map_or("nowhere".into(), |f| format!("{}+{:#x}", f.module, f.offset))))
                }
            }
        }
        counts.extend(new);
    }
    if !exited {
        child.kill().unwrap();
    }
    let printed = String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned();
    Watched { counts, names, nameless, printed }
}

/// What a running process waits for, in two seconds.
pub fn off_cpu(pid: u32) -> Watched {
    let mut stacks = Stacks::open(HZ).unwrap();
    let key = ProcKey { pid, start_ns: start_ns(pid) };
    let (done, is_done) = crossbeam_channel::bounded::<()>(0);
    stacks.prepare(vec![key], done);
    assert!(is_done.recv_timeout(WARM).is_err(), "it is dropped, nothing is sent");
    let mut watcher = Watcher::default();
    watcher.want(Some(Watch { probe: Probe::OffCpu, who: Who::One(key) }), Some(stacks.walk_maps()));
    let mut counts = Vec::new();
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(100));
        counts.extend(watcher.read(&[Task { key, ..Task::default() }]));
    }
    let (requests, answers) = spawn(Origin::Here);
    let user = counts.iter().flat_map(|c| c.user.iter().copied()).collect();
    requests.send(Request { key, user, ..Request::default() }).unwrap();
    let named = answers.recv().unwrap().user.into_iter();
    let names = named.filter_map(|(address, frames)| Some((address, frames.into_iter().find_map(|f| f.function)?))).collect();
    Watched { counts, names, nameless: HashMap::new(), printed: String::new() }
}

/// As exact as the kernel knows it.
pub fn start_ns(pid: u32) -> u64 {
    let mut stacks = Stacks::open(HZ).unwrap();
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < WARM, "it was never met");
        std::thread::sleep(Duration::from_millis(50));
        if let Some(count) = stacks.read().counts.iter().find(|count| count.key.pid == pid) {
            return count.key.start_ns;
        }
    }
}

impl Watched {
    pub fn samples(&self) -> u32 {
        self.in_user_mode().map(|c| c.count).sum()
    }

    /// All but those of a thread that never was in user mode.
    fn in_user_mode(&self) -> impl Iterator<Item = &StackCount> {
        self.counts.iter().filter(|c| !c.user.is_empty())
    }

    /// Percent of the samples that `right` holds for.
    pub fn share(&self, right: impl Fn(&StackCount) -> bool) -> f64 {
        let of_it: u32 = self.in_user_mode().filter(|c| right(c)).map(|c| c.count).sum();
        f64::from(of_it) * 100.0 / f64::from(self.samples().max(1))
    }

    pub fn complete_pct(&self) -> f64 {
        self.share(|c| c.quality == StackQuality::Complete)
    }

    pub fn frames_mean(&self) -> f64 {
        let frames: usize = self.in_user_mode().map(|c| c.user.len() * c.count as usize).sum();
        frames as f64 / f64::from(self.samples().max(1))
    }

    /// Names of a stack, innermost first; empty where there is none.
    pub fn named(&self, stack: &StackCount) -> Vec<&str> {
        stack.user.iter().map(|a| self.names.get(a).map_or("", String::as_str)).collect()
    }

    /// Percent of the frames of whole stacks that lie nowhere, and of those in a module but in no symbol; the latter by place, most
    /// first.
    pub fn nameless(&self) -> (f64, f64, Vec<(usize, &str)>) {
        let whole = || self.in_user_mode().filter(|c| c.quality == StackQuality::Complete);
        let mut places: HashMap<&str, usize> = HashMap::new();
        for count in whole() {
            for place in count.user.iter().filter_map(|a| self.nameless.get(a)) {
                *places.entry(place).or_default() += count.count as usize;
            }
        }
        let all: usize = whole().map(|c| c.user.len() * c.count as usize).sum();
        let pct = |frames: usize| frames as f64 * 100.0 / all.max(1) as f64;
        let nowhere: usize = places.iter().filter(|(place, _)| place.starts_with("[unknown]")).map(|(_, n)| n).sum();
        let total: usize = places.values().sum();
        let mut places: Vec<_> = places.into_iter().map(|(place, n)| (n, place)).collect();
        places.sort_unstable_by(|a, b| b.cmp(a));
        places.truncate(12);
        (pct(nowhere), pct(total - nowhere), places)
    }

    /// How the stacks ended, for a failed test.
    pub fn report(&self) -> String {
        let mut by_quality: HashMap<StackQuality, (u32, &StackCount)> = HashMap::new();
        for stack in self.in_user_mode() {
            let seen = by_quality.entry(stack.quality).or_insert((0, stack));
            seen.0 += stack.count;
        }
        let lines = by_quality.iter().map(|(quality, (count, stack))| {
            let frames: Vec<String> = stack.user.iter().zip(self.named(stack)).map(|(a, n)| format!("{n}@{a:x}")).collect();
            format!("  {quality:?}: {count}, e.g. {}", frames.join(" < "))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// At least 98 % of the stacks are complete.
    pub fn assert_complete(&self, what: &str) {
        let complete = self.complete_pct();
        println!("{what}: {} samples, {complete:.2} % complete, {:.1} frames", self.samples(), self.frames_mean());
        if complete < 100.0 {
            println!("{}", self.report());
        }
        let (nowhere, without_symbol, places) = self.nameless();
        println!("{what}: {nowhere:.2} % of frames lie nowhere, {without_symbol:.2} % in no symbol: {places:?}");
        assert!(nowhere < 1.0, "{what}: {nowhere} % of frames lie nowhere");
        assert!(self.samples() > 80, "{what}: only {} samples", self.samples());
        assert!(complete >= 98.0, "{what}: {complete} % complete");
    }
}
