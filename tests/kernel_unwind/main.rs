//! Stacks without frame pointers against programs whose stacks are known. Root; one thread, as the tests share two CPUs with what they measure.

mod compiled;
mod cost;
mod installed;
mod large;
mod tables;
mod watch;
