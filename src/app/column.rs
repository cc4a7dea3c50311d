//! Columns of tables: one enum variant each, holding everything there is to know about it.
//!
//! A [`Columns`] enum says what its columns are called, what they mean and how to read a [`Value`] off a row; text, order
//! and filters all come from that value. [`fit`] decides which of them a width has room for.

pub mod cgroup;
pub mod interface;
pub mod process;
pub mod remote;
pub mod row;
pub mod sets;
pub mod socket;
pub mod value;

pub use cgroup::{CgroupColumn, CgroupView};
pub use interface::{InterfaceColumn, InterfaceView};
pub use process::Column;
pub use remote::{RemoteColumn, RemoteView};
pub use row::{RowView, SocketView, Subject};
pub use socket::SocketColumn;
pub use value::{Cell, Tone, Value};

use crate::app::look::Units;
use crate::sample::Wants;

/// Which side of its column a text stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// What a column holds, and so which units a number may have that it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No numbers.
    Words,
    /// How many, how many a second, or a number that is a name.
    Count,
    /// Bytes, or bytes a second.
    Bytes,
    /// A share.
    Percent,
    /// A time.
    Time,
}

/// What is fixed about a column.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Heading.
    pub title: &'static str,
    /// Name in `--fields`, `--sort` and filters.
    pub name: &'static str,
    /// Fields of JSON and CSV output that it is made from.
    pub fields: &'static [&'static str],
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// Meaning, unit, source and limits.
    pub help: &'static str,
    /// Cells it takes; of the column that takes what is left, the least it is worth showing with.
    pub width: u16,
    /// The higher, the narrower a screen may be and still show it.
    pub weight: u8,
    /// Side of its text.
    pub align: Align,
    /// What it holds.
    pub kind: Kind,
    /// What must be collected for it beyond the basics.
    pub wants: Wants,
}

impl Spec {
    /// What it means and how it is called elsewhere.
    pub fn explained(&self) -> String {
        let names: Vec<&str> = [self.name].iter().chain(self.aliases).copied().collect();
        format!("{} In filters and --sort: {}. In JSON and CSV: {}.", self.help, names.join(", "), self.fields.join(", "))
    }

    const fn also(self, aliases: &'static [&'static str]) -> Spec {
        Spec { aliases, ..self }
    }

    const fn wanting(self, wants: Wants) -> Spec {
        Spec { wants, ..self }
    }
}

/// Title, name, fields, width and weight of a column; the rest is nothing special.
macro_rules! specs {
    ($($(#[$doc:meta])* $name:ident: $kind:ident, $align:ident;)*) => {
        $($(#[$doc])*
        const fn $name(title: &'static str, name: &'static str, fields: &'static [&'static str], width: u16, weight: u8) -> Spec {
            let (align, kind, wants) = (Align::$align, Kind::$kind, Wants::NONE);
            Spec { title, name, fields, aliases: &[], help: "", width, weight, align, kind, wants }
        })*
    };
}
specs! {
    /// A column of words.
    word: Words, Left;
    /// A column of numbers.
    num: Count, Right;
    /// A column of bytes, or bytes a second.
    size: Bytes, Right;
    /// A column of shares.
    share: Percent, Right;
    /// A column of times.
    time: Time, Right;
}

/// Declares an enum of columns, one entry each: `Variant: spec, help => value;`. The last takes the rest of the width.
macro_rules! columns {
    ($(#[$doc:meta])* pub enum $name:ident($row:ident: $view:ident) $($column:ident: $spec:expr, $help:literal => $value:expr;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $(#[doc = $help] $column,)* }

        impl Columns for $name {
            type Row<'a> = $view<'a>;

            fn all() -> &'static [Self] {
                &[$($name::$column),*]
            }

            fn spec(self) -> &'static Spec {
                static SPECS: &[Spec] = &[$(Spec { help: $help, ..$spec }),*];
                &SPECS[self as usize]
            }

            fn value<'a>(self, $row: &Self::Row<'a>) -> Value<'a> {
                match self { $($name::$column => $value,)* }
            }

            fn takes_the_rest(self) -> bool {
                Self::all().last() == Some(&self)
            }
        }
    };
}
use columns;

/// The columns of one kind of table.
pub trait Columns: Copy + Eq + std::fmt::Debug + Send + Sync + 'static {
    /// What a line of the table is made from.
    type Row<'a>: Copy;

    /// All columns, in the order of their declaration.
    fn all() -> &'static [Self];

    /// What is fixed about it.
    fn spec(self) -> &'static Spec;

    /// What it shows of a row.
    fn value<'a>(self, row: &Self::Row<'a>) -> Value<'a>;

    /// Takes the width the others leave; stands last.
    fn takes_the_rest(self) -> bool;

    /// Its text for a row, no wider than `width` unless it takes the rest.
    fn cell(self, row: &Self::Row<'_>, width: u16) -> Cell {
        self.value(row).cell(usize::from(width))
    }

    /// The same with bytes counted in other units.
    fn cell_in(self, row: &Self::Row<'_>, width: u16, units: Units) -> Cell {
        self.value(row).cell_in(usize::from(width), units)
    }

    /// Sorted with the largest first when chosen. Words sort from A to Z.
    fn descends(self) -> bool {
        self.spec().align == Align::Right
    }

    /// The column called so: by its title as written (`RX` is not `rx`), by a name or title in any case, or by the one field it is made from.
    fn named(name: &str) -> Option<Self> {
        let is = |other: &str| other.eq_ignore_ascii_case(name);
        let find = |test: &dyn Fn(&Spec) -> bool| Self::all().iter().copied().find(|c| test(c.spec()));
        find(&|spec| spec.title == name)
            .or_else(|| find(&|spec| is(spec.name) || spec.aliases.iter().any(|a| is(a))))
            .or_else(|| find(&|spec| is(spec.title)))
            .or_else(|| find(&|spec| matches!(spec.fields, [field] if is(field))))
    }
}

/// The columns of a view: those it is made for, and those that a wide screen adds.
#[derive(Clone, Copy, Debug)]
pub struct Set<C: 'static> {
    /// Shown first, in this order.
    pub first: &'static [C],
    /// Added by weight as the width grows, before the column that takes the rest.
    pub more: &'static [C],
}

/// Of the columns `first` and `more`, those that fit in `width`, in display order, one blank between two. See [`Set`].
pub fn fit<C: Columns>(first: &[C], more: &[C], width: u16) -> Vec<C> {
    let room = usize::from(width) + 1;
    let cost = |columns: &[C]| columns.iter().map(|c| usize::from(c.spec().width) + 1).sum::<usize>();
    let mut shown = first.to_vec();
    while cost(&shown) > room && shown.len() > 1 {
        let lightest = (0..shown.len()).rev().min_by_key(|&i| shown[i].spec().weight).unwrap_or(0);
        shown.remove(lightest);
    }
    if shown.len() == first.len() {
        add_more(&mut shown, more, |columns| cost(columns) <= room);
    }
    shown
}

fn add_more<C: Columns>(shown: &mut Vec<C>, more: &[C], fits: impl Fn(&[C]) -> bool) {
    let mut by_weight = more.to_vec();
    by_weight.sort_by_key(|c| std::cmp::Reverse(c.spec().weight));
    let mut added = Vec::new();
    for column in by_weight {
        let all: Vec<C> = shown.iter().copied().chain(added.iter().copied()).chain([column]).collect();
        if !fits(&all) {
            break;
        }
        added.push(column);
    }
    let at = shown.iter().position(|c| c.takes_the_rest()).unwrap_or(shown.len());
    shown.splice(at..at, more.iter().copied().filter(|c| added.contains(c)));
}

/// Sorts rows by a column; equal ones keep their order, the unknown stand last.
pub fn sort<'a, C: Columns>(rows: &mut [C::Row<'a>], column: C, descending: bool) {
    let values: Vec<Value<'a>> = rows.iter().map(|row| column.value(row)).collect();
    let mut order: Vec<(f64, u32)> = values.iter().map(|v| v.rank(descending)).zip(0..).collect();
    match values.iter().any(|v| matches!(v, Value::Text(_))) {
        true => order.sort_by(|(_, a), (_, b)| values[*a as usize].compare(&values[*b as usize], descending)),
        false => order.sort_unstable_by(|(a, i), (b, j)| a.total_cmp(b).then(i.cmp(j))),
    }
    let sorted: Vec<_> = order.iter().map(|(_, index)| rows[*index as usize]).collect();
    rows.copy_from_slice(&sorted);
}

/// What all of these columns need collected.
pub fn wants<C: Columns>(columns: &[C]) -> Wants {
    wants_of(columns.iter().map(|c| c.spec()))
}

/// The same of columns of whichever tables.
pub fn wants_of(specs: impl Iterator<Item = &'static Spec>) -> Wants {
    specs.fold(Wants::NONE, |all, spec| all.with(spec.wants))
}
