//! The real binary in a real pseudo-terminal: keys in, screen out, and a terminal left as it was, however ebtop ends.

mod hostile;
mod restore;
mod session;
mod views;
