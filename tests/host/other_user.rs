//! Runs code on a thread that belongs to `nobody`. Needs root.

use std::ffi::CStr;
use std::thread;

/// The user with no rights.
pub const NOBODY: u32 = 65534;

/// How the thread sees /proc.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Proc {
    /// As it is.
    Plain,
    /// Mounted anew, for this thread alone, with `hidepid=2`.
    Hidden,
}

/// The result of `work`, run as nobody.
pub fn as_nobody<T: Send + 'static>(proc: Proc, work: impl FnOnce() -> T + Send + 'static) -> T {
    assert!(rustix::process::geteuid().is_root(), "needs root");
    let run = move || {
        if proc == Proc::Hidden {
            hide_others();
        }
        become_nobody();
        work()
    };
    thread::spawn(run).join().unwrap()
}

/// The bare system calls change this thread alone, where libc's functions would change all. The group goes too: hidepid spares its own.
fn become_nobody() {
    let id = libc::c_long::from(NOBODY);
    let none = std::ptr::null::<libc::gid_t>();
    // SAFETY: an empty list of groups is never read, and the others take plain numbers.
    let results = unsafe {
        [
            libc::syscall(libc::SYS_setgroups, 0, none),
            libc::syscall(libc::SYS_setresgid, id, id, id),
            libc::syscall(libc::SYS_setresuid, id, id, id),
        ]
    };
    assert_eq!(results, [0; 3], "{}", std::io::Error::last_os_error());
}

fn hide_others() {
    // SAFETY: no memory is involved; the thread gets a mount namespace of its own.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNS) }, 0, "unshare: {}", std::io::Error::last_os_error());
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE);
    mount(c"proc", c"/proc", Some(c"hidepid=2"), 0);
}

fn mount(kind: &CStr, target: &CStr, options: Option<&CStr>, flags: libc::c_ulong) {
    let data = options.map_or(std::ptr::null(), CStr::as_ptr).cast();
    // SAFETY: all pointers are to C strings that outlive the call, or null where the kernel allows it.
    let result = unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data) };
    assert_eq!(result, 0, "mount: {}", std::io::Error::last_os_error());
}
