//! What the help says that is the same on every screen.

/// What can be written in a filter.
pub(super) const FILTERS: [(&str, &str); 9] = [
    ("nginx|haproxy", "either word in the command line; in sockets in an address, too. Case matters where a capital is typed"),
    ("cpu>5 net>=1M", "columns of numbers by < <= = != > >=, with units (K M G, KiB MiB, ms s m h); terms side by side must all hold"),
    ("pid=1 or pid=2", "or between terms, and; ( ) hold together; ! and not turn round"),
    ("user!=root", "columns of words by : = != (holds, is, is not)"),
    ("name~\"^pg_\"", "a regular expression; quotes keep blanks and signs"),
    ("uid=1000", "a user by number, which the exited have, too"),
    ("kthread", "kernel threads; !kthread all others"),
    ("exited", "what exited in this refresh; closed sockets"),
    ("remote=10.0.0.1", "sockets by local or remote address, or its network: 10.0.0.0/8; port:443 by either port; state:est"),
];

/// What the mouse does.
pub(super) const MOUSE: [(&str, &str); 5] = [
    ("click", "on a line: selects it; on a heading: sorts, again: turns the order round; on a tab or a word of the footer: as its key"),
    ("double click", "on a line: what Enter does"),
    ("right click", "on a heading: what the column means"),
    ("wheel", "scrolls"),
    ("drag", "in the flame graph: from frame to frame"),
];

/// Keys of lists and prompts.
pub(super) const TYPING: [(&str, &str); 7] = [
    ("Enter", "takes what is chosen or typed"),
    ("Esc", "closes the list, gives the text up"),
    ("letters", "narrow a list, the best match first"),
    ("Space < >", "in a list with boxes: check one; in that of columns: move one to the left or to the right"),
    ("Tab", "in a filter: completes the name of a column"),
    ("Ctrl-W Ctrl-U", "delete a word, all of the text"),
    ("↑ ↓", "while a search or a filter is typed: move the selection"),
];

/// What the header shows, in its order; where it has no room for all, some are missing.
pub(super) const HEADER: [(&str, &str); 11] = [
    ("up, load", "time since the machine was started; tasks that ran or waited for a disk, averaged over 1, 5 and 15 minutes"),
    ("CPU bars", "nice, user, kernel, hard and soft interrupts, stolen, waiting for I/O, from the left; the figure leaves the last out"),
    (
        "mem, swp",
        "memory in use that is in no other part, then buffers, shared memory and cache; the figures are used and total. swp: swap",
    ),
    (
        "net",
        "bytes a second received ↓ and sent ↑ by interfaces with hardware under them: without lo (loopback), bridges and pairs to containers. Where none has hardware, as in a container, all but lo count. w in Network lists each",
    ),
    (
        "disk",
        "bytes a second read (r) and written (w) by disks, each once: partitions, and devices on top of others (dm, md, loop), are not in it",
    ),
    ("tasks", "processes, those of the kernel too; thr: all threads; run: threads that run or could"),
    ("exits", "processes that ended, a second"),
    ("psi", "share of the last 10 s that something waited for cpu, mem (memory) or io, percent (/proc/pressure)"),
    (
        "cpu",
        "where CPU time went, in cores: busy/all = rows (living processes) + exited or exit (those that ended in this refresh) + kernel or kern (its threads) + irq (interrupts) + steal (taken by the hypervisor). irq inside rows: the kernel charges interrupts to whoever ran",
    ),
    ("gap", "the time that passed less all of these and idle: near 0 nothing is missing"),
    ("idle", "cores that had nothing to do, or only I/O to wait for"),
];
