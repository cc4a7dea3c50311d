//! Reads the filter language: a recursive descent over bytes of the text.

use std::net::IpAddr;

use ipnet::IpNet;

use super::complete::{NO_COLUMNS, nearest};
use super::key::Key;
use super::operand::{Likeness, NoNumber, Number, Order, Pattern};
use super::term::{KEYWORDS, Term};
use super::{Expr, Filter};
use crate::app::column::Kind;

/// Why a filter cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// Byte offset in the text.
    pub at: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Parentheses and negations inside each other; more is no question a person asks.
const MAX_DEPTH: usize = 64;

/// Reads a filter; blank text lets everything pass.
///
/// # Errors
/// Says where the text stops making sense, and what was expected.
pub fn parse(text: &str) -> Result<Filter, FilterError> {
    parse_doubting(text).map(|(filter, _)| filter)
}

/// The same, with what was read as text and may have been meant otherwise.
///
/// # Errors
/// As with [`parse`].
pub fn parse_doubting(text: &str) -> Result<(Filter, Option<FilterError>), FilterError> {
    let mut parser = Parser { text, at: 0, depth: 0, doubt: None };
    parser.skip_blanks();
    if parser.rest().is_empty() {
        return Ok((Filter::default(), None));
    }
    let expr = parser.any()?;
    match parser.rest() {
        "" => Ok((Filter(Some(expr)), parser.doubt)),
        _ => parser.fail("unexpected `)`"),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// The first text that looks like a column and a value.
    doubt: Option<FilterError>,
}

type Parsed<T> = Result<T, FilterError>;

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(FilterError { at: self.at, message: message.into() })
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes `sign` and the blanks after it.
    fn takes(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
            self.skip_blanks();
        }
        found
    }

    /// Takes a keyword that ends where a word ends.
    fn takes_keyword(&mut self, keyword: &str) -> bool {
        let ends = |rest: &str| rest.chars().next().is_none_or(|c| c.is_whitespace() || "()|".contains(c));
        let found = self.rest().strip_prefix(keyword).is_some_and(ends);
        found && self.takes(keyword)
    }

    fn any(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.all()?];
        while self.takes_keyword("or") {
            parts.push(self.all()?);
        }
        Ok(joined(parts, Expr::Any))
    }

    fn all(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.alternatives()?];
        while !self.rest().is_empty() && !self.rest().starts_with(')') && !self.at_or() {
            self.takes_keyword("and");
            parts.push(self.alternatives()?);
        }
        Ok(joined(parts, Expr::All))
    }

    fn at_or(&self) -> bool {
        Parser { doubt: None, ..*self }.takes_keyword("or")
    }

    fn alternatives(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.negation()?];
        while self.takes("|") {
            parts.push(self.negation()?);
        }
        Ok(joined(parts, Expr::Any))
    }

    fn negation(&mut self) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("too deeply nested");
        }
        let expr = if self.takes("!") || self.takes_keyword("not") {
            Expr::Not(Box::new(self.negation()?))
        } else if self.takes("(") {
            let inner = self.any()?;
            if !self.takes(")") {
                return self.fail("expected `)`");
            }
            inner
        } else {
            Expr::Term(self.term()?)
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn term(&mut self) -> Parsed<Term> {
        if self.rest().starts_with('"') {
            let words = self.quoted()?;
            return self.text_term(&words);
        }
        if self.takes_keyword("exited") {
            return Ok(Term::Exited);
        }
        if self.takes_keyword("kthread") {
            return Ok(Term::KernelThread);
        }
        match self.comparison()? {
            Some(term) => Ok(term),
            None => {
                let word = self.word();
                if word.is_empty() || KEYWORDS.contains(&word) {
                    self.at -= word.len();
                    return self.fail("expected a word, or a column and a value such as cpu>5");
                }
                self.skip_blanks();
                self.text_term(word)
            }
        }
    }

    fn text_term(&self, words: &str) -> Parsed<Term> {
        self.pattern(words, Likeness::Contains).map(Term::Text)
    }

    fn pattern(&self, text: &str, likeness: Likeness) -> Parsed<Pattern> {
        Pattern::new(text, likeness).or_else(|e| {
            let reason = e.to_string();
            self.fail(format!("bad regular expression: {}", reason.lines().last().unwrap_or_default().trim_start_matches("error: ")))
        })
    }

    /// `column sign value`; `None`, and nothing taken, if no known column and sign stand here.
    fn comparison(&mut self) -> Parsed<Option<Term>> {
        let name = self.rest().split(|c: char| !(c.is_alphanumeric() || "_%/+".contains(c))).next().unwrap_or_default();
        let after = self.rest()[name.len()..].trim_start();
        let signs = ["<=", ">=", "!=", "==", "<", ">", "=", "~", ":"];
        let Some(typed) = signs.into_iter().find(|s| after.starts_with(s)) else { return Ok(None) };
        let sign = if typed == "==" { "=" } else { typed };
        let key = Key::named(name);
        if key.is_none() && !NO_COLUMNS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            // Names of processes hold colons, options begin with dashes: those are text.
            let is_word = name.starts_with(|c: char| c.is_alphabetic());
            if is_word && sign != ":" {
                return self.no_column(name, sign);
            }
            if is_word {
                self.doubt(name);
            }
            return Ok(None);
        }
        self.at = self.text.len() - after.len();
        self.takes(typed);
        let value_at = self.at;
        let is_quoted = self.rest().starts_with('"');
        let value = if is_quoted { self.quoted()? } else { self.word().to_string() };
        if value.is_empty() && !is_quoted {
            return self.fail(format!("expected a value after `{name}{sign}`"));
        }
        let end = std::mem::replace(&mut self.at, value_at);
        let term = match key {
            Some(key) => self.compare(key, sign, &value)?,
            None if name.eq_ignore_ascii_case("uid") => self.uid(sign, &value)?,
            None => self.port(sign, &value)?,
        };
        self.at = end;
        self.skip_blanks();
        Ok(Some(term))
    }

    /// Notes `nosuch:value`, which is text. Titles of processes (`nginx: worker`), addresses, paths and names of other languages are not
    /// taken for columns.
    fn doubt(&mut self, name: &str) {
        let after = self.rest()[name.len()..].strip_prefix(':').and_then(|value| value.chars().next());
        let is_value = after.is_some_and(|c| c.is_alphanumeric() || "\"*._-".contains(c));
        if self.doubt.is_some() || !is_value || !name.chars().all(|c| c.is_alphabetic() || c == '_') {
            return;
        }
        let message = match nearest(name) {
            Some(near) => format!("no column `{name}`, so this is text; meant {near}:… ?"),
            None => format!("no column `{name}`, so this is text; ? lists the columns"),
        };
        self.doubt = Some(FilterError { at: self.at, message });
    }

    fn no_column<T>(&self, name: &str, sign: &str) -> Parsed<T> {
        match nearest(name) {
            Some(near) => self.fail(format!("no column `{name}`: {near}{sign}… or, for text, \"{name}{sign}…\"")),
            None => self.fail(format!("no column `{name}` (? lists them); for text write \"{name}{sign}…\"")),
        }
    }

    fn port(&self, sign: &str, value: &str) -> Parsed<Term> {
        match (sign, value.parse()) {
            (":" | "=", Ok(port)) => Ok(Term::Port(port)),
            _ => self.fail("write port:443, with a number up to 65535"),
        }
    }

    /// `remote:10.0.0.0/8`, `local=::1`; `None` where the value is no address: a part of one, or a port.
    fn network(&self, key: Key, sign: &str, value: &str) -> Parsed<Option<Term>> {
        let Some(side) = key.side().filter(|_| matches!(sign, ":" | "=" | "!=")) else { return Ok(None) };
        let network = match value.split_once('/') {
            Some(_) => match value.parse::<IpNet>() {
                Ok(network) => Some(network),
                Err(_) => return self.fail("write a network such as 10.0.0.0/8 or fe80::/10"),
            },
            None => value.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical())),
        };
        Ok(network.map(|network| Term::Network(side, sign != "!=", network)))
    }

    fn uid(&self, sign: &str, value: &str) -> Parsed<Term> {
        match (sign, value.parse()) {
            (":" | "=", Ok(uid)) => Ok(Term::Uid(uid)),
            _ => self.fail("write uid=1000, with a number"),
        }
    }

    fn compare(&self, key: Key, sign: &str, value: &str) -> Parsed<Term> {
        if let Some(term) = self.network(key, sign, value)? {
            return Ok(term);
        }
        if !key.is_number() {
            let likeness = match sign {
                ":" => Likeness::Contains,
                "=" => Likeness::Equals,
                "!=" => Likeness::Differs,
                "~" => Likeness::Matches,
                _ => return self.fail(format!("`{}` holds words: compare it with = != : or ~", key.name)),
            };
            return Ok(Term::Words(key, self.pattern(value, likeness)?));
        }
        let order = match sign {
            "<" => Order::Less,
            "<=" => Order::LessOrEqual,
            ">" => Order::Greater,
            ">=" => Order::GreaterOrEqual,
            "=" | ":" => Order::Equal,
            "!=" => Order::NotEqual,
            _ => return self.fail(format!("`{}` holds numbers: compare it with < <= = != >= or >", key.name)),
        };
        let kinds = key.kinds();
        match Number::parse(value, &kinds) {
            Ok(number) => Ok(Term::Number(key, order, number)),
            Err(NoNumber::Unreadable) => self.fail(format!("`{value}` is not a number with a unit such as 5, 1.5G, 10MiB or 20ms")),
            Err(NoNumber::OfOther) => self.fail(format!("`{}` {}", key.name, kinds.first().map_or("", |kind| units(*kind)))),
        }
    }

    /// Up to a blank, a parenthesis or `|`.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || "()|".contains(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A text in double quotes, where `\` makes the next character plain.
    fn quoted(&mut self) -> Parsed<String> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    self.skip_blanks();
                    return Ok(text);
                }
                '\\' => text.extend(chars.next().map(|(_, c)| c)),
                c => text.push(c),
            }
        }
        self.fail("expected a closing `\"`")
    }
}

/// What to write of such a column.
fn units(kind: Kind) -> &'static str {
    match kind {
        Kind::Bytes => "is in bytes: write 512, 10K, 10M or 1.5G",
        Kind::Percent => "is in percent: write 50 or 0.5%",
        Kind::Time => "is a time: write 20ms, 5s, 10m, 2h or 3d",
        Kind::Count | Kind::Words => "is a plain number: write 5, 10k or 2M",
    }
}

/// A list of one is that one.
fn joined(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}
