//! From a row of call frame information, as gimli reads it, to the few words the kernel half understands.

use std::collections::VecDeque;
use std::time::Instant;

use gimli::{CfaRule, EhFrame, EndianSlice, LittleEndian, Operation, Register, RegisterRule, UnwindExpression, UnwindTableRow};
use rustc_hash::{FxHashMap, FxHashSet};

use super::arena::Arena;
use super::layout::{Base, ROW_FP, ROW_RULE, ROW_SAVED_SHIFT, ROW_WORDS_MASK, RULES_MAX, Rule, Saved};

pub(super) type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// Most operations of an expression: those of PLT entries have eight.
const OPERATIONS_MAX: usize = 12;

/// Whose registers a table tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arch {
    X86_64,
    Aarch64,
}

/// Where vfork() of x86_64 keeps its return address, which the kernel half knows of the innermost frame.
const RDI: Register = Register(5);

impl Arch {
    /// The one this program, and so the kernel, was built for.
    pub(super) const HERE: Arch = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };

    const fn sp(self) -> Register {
        Register(if matches!(self, Arch::X86_64) { 7 } else { 31 })
    }

    const fn fp(self) -> Register {
        Register(if matches!(self, Arch::X86_64) { 6 } else { 29 })
    }

    const fn ra(self) -> Register {
        Register(if matches!(self, Arch::X86_64) { 16 } else { 30 })
    }
}

/// What an expression computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Computed {
    /// A register and an offset.
    Address(Register, i64),
    /// Memory there, and an addend.
    Memory(Register, i64, i64),
    /// The frame address in an entry of a procedure linkage table, which pushes a word at this byte of its 16.
    Plt(i64),
}

/// The rule of a row; `Base::Odd` where it cannot be told.
pub(super) fn rule_of(row: &UnwindTableRow<usize>, section: &EhFrame<Reader<'_>>, arch: Arch) -> Rule {
    if matches!(row.register(arch.ra()), Some(RegisterRule::Undefined)) {
        return Rule::plain(Base::End);
    }
    told(row, section, arch).unwrap_or(Rule::plain(Base::Odd))
}

fn told(row: &UnwindTableRow<usize>, section: &EhFrame<Reader<'_>>, arch: Arch) -> Option<Rule> {
    let (base, cfa, add) = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } if *register == arch.sp() => (Base::Sp, *offset, 0),
        CfaRule::RegisterAndOffset { register, offset } if *register == arch.fp() => (Base::Fp, *offset, 0),
        CfaRule::RegisterAndOffset { .. } => return None,
        CfaRule::Expression(expression) => match compute(expression, section, arch)? {
            Computed::Address(register, offset) if register == arch.sp() => (Base::Sp, offset, 0),
            Computed::Address(register, offset) if register == arch.fp() => (Base::Fp, offset, 0),
            Computed::Memory(register, offset, 0) if register == arch.sp() && is_signal(row) => return signal(row, section, arch, offset),
            Computed::Memory(register, offset, add) if register == arch.sp() => (Base::SpDeref, offset, add),
            Computed::Memory(register, offset, add) if register == arch.fp() => (Base::FpDeref, offset, add),
            Computed::Plt(byte) => (Base::Plt, byte, 0),
            _ => return None,
        },
    };
    let fp = match row.register(arch.fp()) {
        None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => Saved::No,
        Some(RegisterRule::Offset(at)) => Saved::AtFrame(i32::try_from(at).ok()?),
        Some(RegisterRule::Expression(e)) => match compute(&e, section, arch)? {
            Computed::Address(register, at) if register == arch.fp() => Saved::AtFp(i32::try_from(at).ok()?),
            _ => return None,
        },
        Some(_) => return None,
    };
    let ra = match row.register(arch.ra()) {
        Some(RegisterRule::Offset(at)) => Some(i32::try_from(at).ok()?),
        None | Some(RegisterRule::SameValue) if arch == Arch::Aarch64 => None,
        Some(RegisterRule::Register(register)) if arch == Arch::X86_64 && register == RDI => None,
        _ => return None,
    };
    Some(Rule { base, fp, ra, add: i16::try_from(add).ok()?, cfa: i32::try_from(cfa).ok()? })
}

/// Only the frame that the kernel makes for a signal handler tells of the program counter by an expression.
fn is_signal(row: &UnwindTableRow<usize>) -> bool {
    matches!(row.register(Arch::X86_64.ra()), Some(RegisterRule::Expression(_)))
}

/// All registers at fixed distances from the stack pointer: `cfa`, `fp` and `ra` are such distances.
fn signal(row: &UnwindTableRow<usize>, section: &EhFrame<Reader<'_>>, arch: Arch, sp_at: i64) -> Option<Rule> {
    let at = |register| match row.register(register) {
        Some(RegisterRule::Expression(e)) => match compute(&e, section, arch)? {
            Computed::Address(base, at) if base == arch.sp() => i32::try_from(at).ok(),
            _ => None,
        },
        _ => None,
    };
    let (fp, ra) = (at(arch.fp())?, at(arch.ra())?);
    Some(Rule { base: Base::Signal, fp: Saved::AtFrame(fp), ra: Some(ra), add: 0, cfa: i32::try_from(sp_at).ok()? })
}

fn compute(expression: &UnwindExpression<usize>, section: &EhFrame<Reader<'_>>, arch: Arch) -> Option<Computed> {
    let mut code = expression.get(section).ok()?.0;
    let encoding = gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 5 };
    let mut operations = Vec::with_capacity(OPERATIONS_MAX);
    while !code.is_empty() {
        if operations.len() == OPERATIONS_MAX {
            return None;
        }
        operations.push(Operation::parse(&mut code, encoding).ok()?);
    }
    understand(&operations, arch)
}

fn understand(operations: &[Operation<Reader<'_>>], arch: Arch) -> Option<Computed> {
    use Operation::{And, Deref, Ge, Plus, PlusConstant, RegisterOffset, Shl, UnsignedConstant};
    match operations {
        [RegisterOffset { register, offset, .. }] => Some(Computed::Address(*register, *offset)),
        [RegisterOffset { register, offset, .. }, Deref { size: 8, .. }] => Some(Computed::Memory(*register, *offset, 0)),
        [RegisterOffset { register, offset, .. }, Deref { size: 8, .. }, PlusConstant { value }]
        | [RegisterOffset { register, offset, .. }, Deref { size: 8, .. }, UnsignedConstant { value }, Plus] => {
            Some(Computed::Memory(*register, *offset, i64::try_from(*value).ok()?))
        }
        [
            RegisterOffset { register: sp, offset: 8, .. },
            RegisterOffset { register: ip, offset: 0, .. },
            UnsignedConstant { value: 15 },
            And,
            UnsignedConstant { value: byte },
            Ge,
            UnsignedConstant { value: 3 },
            Shl,
            Plus,
        ] if arch == Arch::X86_64 && *sp == arch.sp() && *ip == arch.ra() => Some(Computed::Plt(i64::try_from(*byte).ok()?)),
        _ => None,
    }
}

/// Most rare rules that one table may use; further ones are odd. All ordinary programs together have some hundreds; one that was made to
/// have many does not take them from the others.
const SHARE: usize = RULES_MAX / 8;
/// Numbers of the rules that are always there: where there is nothing (the kernel half knows this one), and for what cannot be told.
const NONE: u16 = 0;
const ODD: u16 = 1;

/// Rules that are too rare to be spelled out in rows, each once, for as long as a table uses it.
pub(super) struct Rules {
    numbers: FxHashMap<Rule, u16>,
    /// By number: the rule, and how many tables use it.
    places: Vec<(Rule, u32)>,
    /// Numbers that are free, and since when.
    resting: VecDeque<(Instant, u16)>,
    /// Not yet in the kernel.
    new: Vec<(u16, Rule)>,
}

/// Rare rules that one table uses.
#[derive(Default)]
pub(super) struct Used(FxHashSet<u16>);

impl Used {
    /// Their numbers.
    pub(super) fn numbers(self) -> Vec<u16> {
        self.0.into_iter().collect()
    }
}

impl Default for Rules {
    fn default() -> Rules {
        let mut rules = Rules { numbers: FxHashMap::default(), places: Vec::new(), resting: VecDeque::new(), new: Vec::new() };
        for (number, base) in [(NONE, Base::None), (ODD, Base::Odd)] {
            rules.places.push((Rule::plain(base), 0));
            rules.take(number, Rule::plain(base));
        }
        rules
    }
}

impl Rules {
    /// What a row says for a rule of the table that has `used` others. Rules that find no room become odd ones.
    pub(super) fn pack(&mut self, rule: Rule, arch: Arch, used: &mut Used) -> u16 {
        inline(rule, arch).unwrap_or_else(|| ROW_RULE | self.number(rule, &mut used.0).unwrap_or(ODD))
    }

    /// What a row says where nothing holds.
    pub(super) fn none(&self) -> u16 {
        ROW_RULE | NONE
    }

    fn number(&mut self, rule: Rule, used: &mut FxHashSet<u16>) -> Option<u16> {
        let known = self.numbers.get(&rule).copied();
        if let Some(number) = known.filter(|number| *number <= ODD || used.contains(number)) {
            return Some(number);
        }
        if used.len() >= SHARE {
            return None;
        }
        let number = match known {
            Some(number) => number,
            None => self.free_number(Instant::now())?,
        };
        if known.is_none() {
            self.take(number, rule);
        }
        self.places[usize::from(number)].1 += 1;
        used.insert(number);
        Some(number)
    }

    /// One that no row names, and no walk any more.
    fn free_number(&mut self, now: Instant) -> Option<u16> {
        if self.resting.front().is_some_and(|(since, _)| now.duration_since(*since) >= Arena::REST) {
            return self.resting.pop_front().map(|(_, number)| number);
        }
        let number = u16::try_from(self.places.len()).ok().filter(|number| usize::from(*number) < RULES_MAX)?;
        self.places.push((Rule::plain(Base::Odd), 0));
        Some(number)
    }

    fn take(&mut self, number: u16, rule: Rule) {
        self.numbers.insert(rule, number);
        self.places[usize::from(number)].0 = rule;
        self.new.push((number, rule));
    }

    /// A table that used these is gone.
    pub(super) fn give(&mut self, used: &[u16], now: Instant) {
        for &number in used {
            let Some((rule, tables)) = self.places.get_mut(usize::from(number)) else { continue };
            *tables = tables.saturating_sub(1);
            if *tables == 0 {
                self.numbers.remove(rule);
                self.resting.push_back((now, number));
            }
        }
    }

    /// Those that came up since the last call.
    pub(super) fn take_new(&mut self) -> Vec<(u16, Rule)> {
        std::mem::take(&mut self.new)
    }
}

/// The most common rules fit into the row.
fn inline(rule: Rule, arch: Arch) -> Option<u16> {
    let base = match rule.base {
        Base::Sp => 0,
        Base::Fp => ROW_FP,
        _ => return None,
    };
    let words = u16::try_from(rule.cfa / 8).ok().filter(|w| rule.cfa % 8 == 0 && *w <= ROW_WORDS_MASK)?;
    let saved = match (arch, rule.fp, rule.ra) {
        (Arch::X86_64, Saved::No, Some(-8)) => 0,
        (Arch::X86_64, Saved::AtFrame(at), Some(-8)) if (-64..=-16).contains(&at) && at % 8 == 0 => (-at / 8 - 1) as u16,
        (Arch::Aarch64, Saved::No, None) => 0,
        (Arch::Aarch64, Saved::AtFrame(at), Some(ra)) if at == -rule.cfa && ra == at + 8 => 1,
        _ => return None,
    };
    Some(base | saved << ROW_SAVED_SHIFT | words)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LEAF: Rule = Rule { base: Base::Sp, fp: Saved::No, ra: Some(-8), add: 0, cfa: 8 };

    #[test]
    fn common_rules_are_in_the_row() {
        let x86 = |rule| inline(rule, Arch::X86_64);
        assert_eq!(x86(LEAF), Some(1));
        assert_eq!(x86(Rule { base: Base::Fp, fp: Saved::AtFrame(-16), cfa: 16, ..LEAF }), Some(ROW_FP | 1 << 11 | 2));
        assert_eq!(x86(Rule { fp: Saved::AtFrame(-64), cfa: 2047 * 8, ..LEAF }), Some(7 << 11 | 2047));
        assert_eq!(x86(Rule { fp: Saved::AtFrame(-8), ..LEAF }), None);
        assert_eq!(x86(Rule { cfa: 2048 * 8, ..LEAF }), None);
        assert_eq!(x86(Rule { cfa: -8, ..LEAF }), None);
        assert_eq!(x86(Rule { cfa: 12, ..LEAF }), None);
        let arm = |rule| inline(rule, Arch::Aarch64);
        assert_eq!(arm(Rule { ra: None, cfa: 0, ..LEAF }), Some(0));
        assert_eq!(arm(Rule { fp: Saved::AtFrame(-96), ra: Some(-88), cfa: 96, ..LEAF }), Some(1 << 11 | 12));
        assert_eq!(arm(Rule { fp: Saved::AtFrame(-16), ra: Some(-8), cfa: 96, ..LEAF }), None);
    }

    /// A table of so many rules of its own, from this one on.
    fn table(rules: &mut Rules, first: i32, count: i32) -> (Vec<u16>, Vec<u16>) {
        let mut used = Used::default();
        let rows = (0..count).map(|i| rules.pack(Rule { cfa: -(first + i), ..LEAF }, Arch::X86_64, &mut used)).collect();
        (rows, used.numbers())
    }

    #[test]
    fn rare_rules_get_numbers_that_tables_share() {
        let mut rules = Rules::default();
        let of_all = [(NONE, Rule::plain(Base::None)), (ODD, Rule::plain(Base::Odd))];
        assert_eq!(rules.take_new(), of_all);
        let (one, _) = table(&mut rules, 1, 2);
        let (other, _) = table(&mut rules, 2, 2);
        assert_eq!((one, other), (vec![ROW_RULE | 2, ROW_RULE | 3], vec![ROW_RULE | 3, ROW_RULE | 4]));
        assert_eq!(rules.take_new().iter().map(|(number, rule)| (*number, rule.cfa)).collect::<Vec<_>>(), [(2, -1), (3, -2), (4, -3)]);
        assert_eq!(rules.pack(Rule::plain(Base::None), Arch::X86_64, &mut Used::default()), rules.none());
    }

    #[test]
    fn one_table_does_not_take_the_rules_of_others() {
        let mut rules = Rules::default();
        let (rows, used) = table(&mut rules, 1, 40_000);
        assert_eq!((used.len(), rows[SHARE]), (SHARE, ROW_RULE | ODD));
        assert_ne!(table(&mut rules, 100_000, 1).0, [ROW_RULE | ODD]);
    }

    #[test]
    fn rules_of_tables_that_are_gone_make_room() {
        let mut rules = Rules::default();
        let share = SHARE as i32;
        let mut tables: Vec<_> = (0..8).map(|i| table(&mut rules, 1 + i * share, share).1).collect();
        assert_eq!(table(&mut rules, 1_000_000, 1).0, [ROW_RULE | ODD], "there are no more");
        let now = Instant::now() + Duration::from_secs(3600);
        let first = tables.remove(0);
        rules.give(&first, now);
        assert_eq!(table(&mut rules, 1_000_000, 1).0, [ROW_RULE | ODD], "a walk may still see the old one");
        let number = rules.free_number(now + Arena::REST);
        assert_eq!(number, Some(first[0]));
        assert_ne!(table(&mut rules, 1 + share, 1).0, [ROW_RULE | ODD], "those of others stay");
        assert!(rules.numbers.len() >= 7 * SHARE - 2 && !rules.numbers.contains_key(&Rule { cfa: -1, ..LEAF }));
    }

    #[test]
    fn expressions_that_compilers_and_linkers_write() {
        let parse = |bytes: &[u8]| {
            let mut code = EndianSlice::new(bytes, LittleEndian);
            let encoding = gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 5 };
            let mut operations = Vec::new();
            while !code.is_empty() {
                operations.push(Operation::parse(&mut code, encoding).unwrap());
            }
            understand(&operations, Arch::X86_64)
        };
        // breg7 8, breg16 0, lit15, and, lit11, ge, lit3, shl, plus
        assert_eq!(parse(&[0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22]), Some(Computed::Plt(11)));
        // breg7 88, deref, plus_uconst 8: OpenSSL
        assert_eq!(parse(&[0x77, 0xd8, 0, 0x06, 0x23, 8]), Some(Computed::Memory(Register(7), 88, 8)));
        // breg6 -8, deref: a stack realigned by gcc
        assert_eq!(parse(&[0x76, 0x78, 0x06]), Some(Computed::Memory(Register(6), -8, 0)));
        assert_eq!(parse(&[0x77, 8, 0x22]), None);
    }
}
