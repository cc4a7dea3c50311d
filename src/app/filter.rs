//! The filter language: which rows of a table to show.
//!
//! ```text
//! nginx|haproxy            either substring, in the command
//! cpu>5 and (user=root or cgroup:ssh*)
//! !kthread rss>=1.5G       adjacent terms mean and
//! name~"^pg_"              a regular expression
//! container:web pod:shop/* unit:ssh*   where it runs
//! uid=1000                 by number, which is known of the exited, too, where the name of their user may not be
//! remote:10.0.0.0/8        sockets by network, port:443 by either port
//! ```
//! Case matters only where a capital is typed. `|` binds tighter than adjacency and `and`, which bind tighter than `or`.
//! [`Filter`]'s `Display` writes what [`parse`] reads back as the same filter.

mod complete;
mod key;
mod net;
mod operand;
mod parse;
mod term;

use std::cell::{Cell, RefCell};
use std::fmt;

pub use complete::{Completion, FilterOf, complete, half_word};
pub use parse::{FilterError, parse, parse_doubting};
pub use term::quote;
use term::{Subject, Term};

use super::column::{CgroupView, InterfaceView, RemoteView, RowView, SocketView, Spec};

/// A filter; the default one lets everything pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter(Option<Expr>);

#[derive(Clone, Debug, PartialEq)]
enum Expr {
    /// At least two.
    All(Vec<Expr>),
    /// At least two.
    Any(Vec<Expr>),
    Not(Box<Expr>),
    Term(Term),
}

impl Filter {
    /// Whether a process passes.
    pub fn matches(&self, row: &RowView<'_>) -> bool {
        self.0.as_ref().is_none_or(|e| e.holds(row))
    }

    /// Whether a socket passes. A column that sockets do not have holds for none, but for where their owner runs.
    pub fn matches_socket(&self, row: &SocketView<'_>) -> bool {
        self.0.as_ref().is_none_or(|e| e.holds(row))
    }

    /// Whether a remote address passes. A column that remotes do not have holds for none.
    pub fn matches_remote(&self, row: &RemoteView<'_>) -> bool {
        self.0.as_ref().is_none_or(|e| e.holds(row))
    }

    /// Whether a network interface passes. A column that interfaces do not have holds for none.
    pub fn matches_interface(&self, row: &InterfaceView<'_>) -> bool {
        self.0.as_ref().is_none_or(|e| e.holds(row))
    }

    /// Whether a control group passes. A column that they do not have holds for none.
    pub fn matches_cgroup(&self, row: &CgroupView<'_>) -> bool {
        self.0.as_ref().is_none_or(|e| e.holds(row))
    }

    /// Lets everything pass.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The first column in it that the table it is for does not have, and so holds for none of its lines.
    pub fn foreign(&self, of: FilterOf) -> Option<&'static str> {
        let found = Cell::new(None);
        let is_foreign = |term: &Term| {
            found.set(term.foreign(of));
            found.get().is_some()
        };
        self.0.as_ref().filter(|e| e.any_term(&is_foreign)).and_then(|_| found.get())
    }

    /// The first user it asks for by a name that none of these is; a number is no name.
    pub fn unknown_user(&self, is_known: impl Fn(&dyn Fn(&str) -> bool) -> bool) -> Option<String> {
        let found = RefCell::new(None);
        let is_unknown = |term: &Term| {
            let name = term.asks_user().filter(|pattern| !is_known(&|user| pattern.is_in(user)));
            *found.borrow_mut() = name.map(|pattern| pattern.text.clone());
            name.is_some()
        };
        self.0.as_ref().filter(|e| e.any_term(&is_unknown)).and_then(|_| found.take())
    }

    /// The columns of a table that it asks for.
    pub fn specs(&self, of: FilterOf) -> Vec<&'static Spec> {
        let found = RefCell::new(Vec::new());
        let note = |term: &Term| {
            found.borrow_mut().extend(term.spec(of));
            false
        };
        if let Some(expr) = &self.0 {
            expr.any_term(&note);
        }
        found.into_inner()
    }

    /// Reads command lines, users or cgroups: exact only once the details of every process are known.
    pub fn needs_details(&self) -> bool {
        self.0.as_ref().is_some_and(|e| e.any_term(&Term::needs_details))
    }
}

impl Expr {
    fn holds(&self, subject: &dyn Subject) -> bool {
        match self {
            Expr::All(parts) => parts.iter().all(|p| p.holds(subject)),
            Expr::Any(parts) => parts.iter().any(|p| p.holds(subject)),
            Expr::Not(part) => !part.holds(subject),
            Expr::Term(term) => term.holds(subject),
        }
    }

    fn any_term(&self, test: &dyn Fn(&Term) -> bool) -> bool {
        match self {
            Expr::All(parts) | Expr::Any(parts) => parts.iter().any(|p| p.any_term(test)),
            Expr::Not(part) => part.any_term(test),
            Expr::Term(term) => test(term),
        }
    }

    /// Writes a part, in parentheses if it is itself made of parts.
    fn write_part(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::All(_) | Expr::Any(_) => write!(f, "({self})"),
            _ => write!(f, "{self}"),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |e| write!(f, "{e}"))
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, between) = match self {
            Expr::Term(term) => return write!(f, "{term}"),
            Expr::Not(part) => {
                f.write_str("!")?;
                return part.write_part(f);
            }
            Expr::All(parts) => (parts, " "),
            Expr::Any(parts) => (parts, " or "),
        };
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                f.write_str(between)?;
            }
            part.write_part(f)?;
        }
        Ok(())
    }
}
