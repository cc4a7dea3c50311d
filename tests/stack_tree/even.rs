//! A tree of thousands of stacks beside sums made from each alone.

use std::collections::HashMap;
use std::sync::Arc;

use ebtop::model::stacks::{Measure, Naming, Scope, Shape, StackHistory, StackTree};
use ebtop::sample::{ProcKey, Sample, StackCount, StackQuality, Stacks};
use ebtop::symbols::{Frame, FrameKind};

use crate::stack_world::NGINX;
use crate::{S, sorted_outline};

/// Names of even addresses.
struct Even(Vec<Frame>);

impl Even {
    fn frames(&self, address: u64) -> Option<&[Frame]> {
        address.is_multiple_of(2).then(|| std::slice::from_ref(&self.0[address as usize % self.0.len()]))
    }
}

impl Naming for Even {
    fn version(&self) -> u64 {
        1
    }

    fn user(&self, _key: ProcKey, address: u64) -> Option<&[Frame]> {
        self.frames(address)
    }

    fn kernel(&self, address: u64) -> Option<&[Frame]> {
        self.frames(address)
    }
}

#[test]
fn thousands_of_stacks_are_counted_as_each_alone() {
    let frame = |at: u64| Frame { function: Some(format!("f{at}")), module: "m".into(), offset: at, kind: FrameKind::Native, source: None };
    let names = Even((0..40).map(frame).collect());
    let mut seed = 7u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut stack = |_| {
        let mut frames = |depth: u64| (0..depth).rev().map(|at| 4 * (at % 9) + random(3)).collect::<Arc<[u64]>>();
        let (user, kernel) = (frames(12), frames(2));
        let value = random(5) + 1;
        StackCount {
            key: NGINX,
            tid: 1 + random(2) as u32,
            user,
            kernel,
            count: value as u32,
            value,
            quality: StackQuality::Complete,
            ..StackCount::default()
        }
    };
    let counts: Vec<StackCount> = (0..2000).map(&mut stack).collect();
    let (mut totals, mut owns, mut missing) = (HashMap::new(), HashMap::new(), HashMap::new());
    for StackCount { user, kernel, value, .. } in &counts {
        let way = user.iter().rev().map(|a| (Some(NGINX), *a)).chain(kernel.iter().rev().map(|a| (None, *a)));
        let mut path = String::new();
        *totals.entry(path.clone()).or_insert(0) += value;
        for (key, address) in way {
            let name = if address % 2 == 0 { format!("f{address}") } else { format!("0x{address:x}") };
            path = if path.is_empty() { name } else { format!("{path};{name}") };
            *totals.entry(path.clone()).or_insert(0) += value;
            if address % 2 != 0 {
                *missing.entry((key, address)).or_insert(0) += value;
            }
        }
        *owns.entry(path).or_insert(0u64) += value;
    }
    let line = |(path, total): (&String, &u64)| format!("{path} {total}/{}", owns.get(path).copied().unwrap_or(0));
    let mut expected: Vec<String> = totals.iter().map(line).collect();
    expected.sort();
    let mut history = StackHistory::default();
    history.push(&Sample { at_ns: S, stacks: Stacks { hz: 49, counts, interpreted: Vec::new() }, ..Sample::default() });
    let window = history.window(&Scope::Process(NGINX), Measure::OnCpu, S);
    assert!(window.stacks.len() > 1000, "{} distinct stacks", window.stacks.len());
    let mut tree = StackTree::new(Shape::default());
    tree.update(&window, None, &names);
    assert_eq!(sorted_outline(&tree), expected);
    let found: HashMap<_, _> = tree.missing().into_iter().map(|m| ((m.key, m.address), m.count)).collect();
    assert_eq!(found, missing);
    let mut by_thread = StackTree::new(Shape { threads: true, ..Shape::default() });
    by_thread.update(&window, None, &names);
    assert_eq!((by_thread.missing(), by_thread.total()), (tree.missing(), tree.total()));
}
