# What a guest runs: the tests, ebtop where they look for it, and the C programs that they start. Each build_ARCH fills $out/ARCH.
# Sourced by script/kernels; needs $out, $cache and $target.
# shellcheck shell=sh

# executable: the path of the test that cargo, whose words are read, says it made.
executable() { tee -a /dev/stderr | sed -n 's/^ *Executable .*(\(.*\))$/\1/p'; }

# place STRIP TEST PROGRAM: without the names of lines; the test knows the program by its whole path.
place() {
    mkdir -p "$tree/w" "$tree$(dirname "$3")" "$tree$target/tmp"
    "$1" -S -o "$tree/w/kernel_e2e" "$2" && "$1" -S -o "$tree$3" "$3" && cp tests/vm/job "$tree/job"
}

# workloads CC...
workloads() {
    for name in $(cat tests/kernel_e2e/*.rs tests/kernel_e2e/*/*.rs | sed -n 's/.*Workload::start("\([a-z0-9_]*\)".*/\1/p' | sort -u); do
        as_user "$@" -O1 -Wall -pthread -static -fno-omit-frame-pointer -fno-inline -o "$tree/w/e2e-$name" "tests/workloads/$name.c" || return 1
    done
}

# libraries PROGRAM...: what they link, and the loader, where they look for it.
libraries() {
    ldd "$@" | sed -n 's/^\t\(.* => \)\{0,1\}\(\/[^ ]*\) (.*/\2/p' | sort -u > "$out/libraries"
    while read -r library; do
        install -D "$library" "$tree$library"
    done < "$out/libraries"
}

# build_amd64: the programs that script/test tries here, with this system's libraries, so that there is nothing to build twice.
build_amd64() {
    tree=$out/amd64
    rm -rf "$tree"
    test=$(as_user cargo test --locked --no-run --test kernel_e2e 2>&1 | executable)
    [ -x "$test" ] || { warn "cargo named no test"; return 1; }
    place strip "$test" "$target/debug/ebtop"
    libraries "$test" "$target/debug/ebtop"
    workloads cc -mno-omit-leaf-frame-pointer
}

# build_arm64: static, by a cross compiler. libelf and zlib come as Debian's archives for that architecture.
build_arm64() {
    tree=$out/arm64 triple=aarch64-unknown-linux-gnu
    rm -rf "$tree"
    have rustup || user_has rustup || { warn "rustup is missing, which brings Rust's library for $triple"; return 1; }
    as_user rustup --quiet target add $triple || return 1
    [ -d "$cache/elf-arm64" ] || unpack arm64 "$cache/elf-arm64" libelf-dev/bookworm zlib1g-dev/bookworm || return 1
    # What runs while building is linked so, too, with archives of this machine.
    own=$(dirname "$(cc -print-file-name=libelf.a)")
    test=$(as_user env RUSTFLAGS="-C target-feature=+crt-static" LIBBPF_SYS_LIBRARY_PATH_x86_64_unknown_linux_gnu="$own" \
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
        LIBBPF_SYS_LIBRARY_PATH_aarch64_unknown_linux_gnu="$cache/elf-arm64/usr/lib/aarch64-linux-gnu" \
        cargo test --locked --features static --target $triple --no-run --test kernel_e2e 2>&1 | executable)
    [ -x "$test" ] || { warn "cargo named no test"; return 1; }
    place aarch64-linux-gnu-strip "$test" "$target/$triple/debug/ebtop"
    workloads aarch64-linux-gnu-gcc
}
