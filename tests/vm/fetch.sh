# What a guest is made of, from Debian's archive: kernels, QEMU, busybox. Nothing is installed: packages are unpacked into a cache.
# Sourced by script/kernels; needs $cache.
# shellcheck shell=sh

archive=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] *\)\{0,1\}\(http[^ ]*\) .*/\2/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
    grep -v security | head -n 1)
archive=${archive:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# Package lists older than this are fetched anew, where the network allows.
LIST_DAYS=3

# apt_lists ARCH: package lists of all suites that have a kernel of use, apart from the system's own.
apt_lists() {
    apt=$cache/apt-$1
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/etc/apt.conf.d" "$apt/etc/preferences.d"
    {
        for suite in bookworm bookworm-backports trixie-backports; do echo "deb [signed-by=$keyring] $archive $suite main"; done
        echo "deb [signed-by=$keyring] ${archive%/debian}/debian-security bullseye-security main"
    } > "$apt/sources.list"
    cat > "$apt/apt.conf" <<CONF
APT::Architecture "$1"; APT::Architectures "$1"; APT::Sandbox::User "$(id -un)";
Dir::Etc "$apt/etc"; Dir::Etc::SourceList "$apt/sources.list"; Dir::Etc::SourceParts "/dev/null";
Dir::State "$apt"; Dir::State::Lists "$apt/lists"; Dir::State::status "/dev/null"; Dir::Cache "$apt/cache"; Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
Acquire::GzipIndexes "true"; Acquire::Languages "none"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false"; Acquire::Retries "3";
CONF
    if [ -n "$(find "$apt/names" -mtime -$LIST_DAYS 2>/dev/null)" ]; then return; fi
    # apt calls a suite that it could not reach a warning.
    if APT_CONFIG=$apt/apt.conf apt-get update -qq 2>"$apt/errors" && ! grep -q 'Failed to fetch' "$apt/errors"; then
        APT_CONFIG=$apt/apt.conf apt-cache dumpavail | sed -n 's/^Package: //p' | sort -u > "$apt/names"
    else
        [ -s "$apt/names" ] || { cat "$apt/errors" >&2; return 1; }
        warn "no new package lists for $1: $(head -n 1 "$apt/errors")"
    fi
}

# unpack ARCH DIR PACKAGE[/SUITE]...: fetches packages and unpacks them into DIR, whole or not at all.
unpack() {
    unpack_apt=$cache/apt-$1 unpack_to=$2
    shift 2
    mkdir -p "$cache/tmp"
    work=$(mktemp -d "$cache/tmp/XXXXXX")
    (
        cd "$work"
        APT_CONFIG=$unpack_apt/apt.conf apt-get download -qq "$@" >&2
        for package in *.deb; do dpkg-deb -x "$package" tree; done
    ) 2>"$work.errors" || { sed 's/^/    /' "$work.errors" >&2; rm -rf "$work" "$work.errors"; return 1; }
    rm -rf "$unpack_to" "$work.errors"
    mkdir -p "$(dirname "$unpack_to")"
    mv "$work/tree" "$unpack_to"
    rm -rf "$work"
}

# number FILE OFFSET BYTES: a little-endian number.
number() { od -An -v -tu"$3" -j "$2" -N "$3" "$1" | tr -d ' '; }

# vmlinux IMAGE OUT: the ELF kernel inside a bzImage, which boots without the work of decompression. Offsets: Documentation/arch/x86/boot.rst.
vmlinux() {
    sectors=$(number "$1" 497 1)
    [ "$sectors" != 0 ] || sectors=4
    begin=$(((sectors + 1) * 512 + $(number "$1" 584 4)))
    tail -c +$((begin + 1)) "$1" | head -c "$(number "$1" 588 4)" > "$2.packed"
    case $(od -An -v -tx1 -N 4 "$2.packed" | tr -d ' ') in
        28b52ffd) unpacker=zstd ;;
        02214c18) unpacker=lz4 ;;
        fd377a58) unpacker=xz ;;
        1f8b08*) unpacker=gzip ;;
        *) unpacker=false ;;
    esac
    # Four bytes of its length follow the kernel, which some unpackers call garbage: the ELF magic tells whether it went well.
    $unpacker -dc < "$2.packed" > "$2" 2>/dev/null || true
    rm -f "$2.packed"
    [ "$(head -c 4 "$2" | od -An -tx1 | tr -d ' ')" = 7f454c46 ] || { rm -f "$2"; warn "no kernel in $1"; return 1; }
}

# fetch_kernel SERIES ARCH: the newest cloud kernel of a series, into $cache/kernels/RELEASE; prints RELEASE.
# An index may name what the pool has no more: four are tried, then what is in the cache. From 6.19 on the image is in linux-binary-*.
fetch_kernel() {
    pattern=$(printf '%s' "$1" | sed 's/\./\\./g')
    names=$cache/apt-$2/names
    for release in $(sed -nE "s/^linux-(image|binary)-($pattern\.[0-9].*-cloud-$2)\$/\2/p" "$names" 2>/dev/null | sort -Vru | head -n 4); do
        dir=$cache/kernels/$release
        if [ ! -s "$dir/kernel" ]; then
            package=linux-image-$release
            ! grep -qx "linux-binary-$release" "$names" || package=linux-binary-$release
            unpack "$2" "$dir" "$package" || continue
            image=$(find "$dir" -name 'vmlinuz*' -type f | head -n 1)
            # That of arm64 is not compressed.
            case $2 in
                amd64) vmlinux "$image" "$dir/kernel" || continue ;;
                arm64) mv "$image" "$dir/kernel" || continue ;;
            esac
            # Modules are not used.
            rm -rf "$dir/lib" "$dir/usr" "$dir/boot"
        fi
        echo "$release"
        return
    done
    release=$(find "$cache/kernels" -path "*/$1.*-cloud-$2/kernel" 2>/dev/null | sort -V | tail -n 1)
    [ -n "$release" ] || return 1
    basename "$(dirname "$release")"
}

# fetch_qemu ARCH: sets $qemu. Version 7 crashes new kernels at random, so the system's is taken from 10 on; else that of bookworm-backports.
fetch_qemu() {
    case $1 in
        amd64) program=qemu-system-x86_64 package=qemu-system-x86 firmware=seabios/bookworm-backports ;;
        arm64) program=qemu-system-aarch64 package=qemu-system-arm firmware= ;;
    esac
    if have $program && version_ge "$($program --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')" 10; then
        qemu=$program
        return
    fi
    dir=$cache/qemu-$1
    [ -x "$dir/usr/bin/$program" ] || unpack amd64 "$dir" $package/bookworm-backports \
        qemu-system-common/bookworm-backports qemu-system-data/bookworm-backports $firmware || return 1
    qemu="$dir/usr/bin/$program -L $dir/usr/share/qemu"
    $qemu --version >/dev/null || { warn "$program lacks libraries: apt-get install $package brings them"; return 1; }
}

# fetch_busybox ARCH
fetch_busybox() {
    [ -s "$cache/busybox-$1/usr/bin/busybox" ] || [ -s "$cache/busybox-$1/bin/busybox" ] || unpack "$1" "$cache/busybox-$1" busybox-static/bookworm
}
