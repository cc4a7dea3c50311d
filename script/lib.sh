# What the scripts here share. Source it after `set -eu`; leaves the shell in the project's root.
# shellcheck shell=sh

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
MSRV=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

say() { printf '==> %s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }
can_be_root() { is_root || have sudo; }
as_root() { if is_root; then "$@"; elif have sudo; then sudo "$@"; else die "need root for: $*"; fi; }

# Who builds: the caller, or the user behind sudo where the checkout is theirs, so that target/ and ~/.cargo never fill with root's files.
build_user=
if is_root && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ] && runuser -u "$SUDO_USER" -- test -w "$root"; then
    build_user=$SUDO_USER
fi

# as_user CMD...: runs it as the one who builds. Under sudo with a clean environment: root's PATH holds what others cannot read.
as_user() {
    if [ -z "$build_user" ]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH" "$@"
        return
    fi
    home=$(getent passwd "$build_user" | cut -d: -f6)
    set -- HOME="$home" USER="$build_user" TERM="${TERM:-dumb}" LANG="${LANG:-C.UTF-8}" \
        PATH="$home/.cargo/bin:/usr/local/bin:/usr/bin:/bin" "$@"
    for name in CI http_proxy https_proxy no_proxy SSL_CERT_FILE CARGO_TERM_COLOR CARGO_TARGET_DIR; do
        eval "value=\${$name:-}"
        [ -z "$value" ] || set -- "$name=$value" "$@"
    done
    runuser -u "$build_user" -- env -i "$@"
}

# user_has CMD: whether the one who builds has it.
user_has() { as_user sh -c "command -v $1" >/dev/null 2>&1; }

# version_ge A B: A is B or newer.
version_ge() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# rust_ok: the one who builds has cargo and a rustc that is new enough.
rust_ok() {
    user_has cargo || return 1
    version=$(as_user rustc --version 2>/dev/null | cut -d' ' -f2 | cut -d- -f1) || return 1
    [ -n "$version" ] && version_ge "$version" "$MSRV"
}

target_dir=${CARGO_TARGET_DIR:-target}

# build_static SUBCOMMAND CARGO_ARGUMENTS...: runs cargo so that the binaries need no library of the system, not even libc: they run on
# any userland. The target is named, or procedural macros would be static, too, and not load. Artefacts: $target_dir/$STATIC_TARGET.
STATIC_TARGET=$(uname -m)-unknown-linux-gnu
build_static() {
    subcommand=$1
    shift
    # The directory of libelf.a and libz.a.
    archives=$(dirname "$(cc -print-file-name=libelf.a)")
    as_user env RUSTFLAGS="-C target-feature=+crt-static" LIBBPF_SYS_LIBRARY_PATH="$archives" \
        cargo "$subcommand" --locked --features static --target "$STATIC_TARGET" "$@"
}
