#!/bin/sh
# Installs what this machine lacks to build Lorgnette, then hands over to `cargo xtask`.
# This is the one place that knows what a machine needs; packaging/bootstrap.ps1 is for Windows.
set -eu

verb=${1-}
case $verb in
run | test) shift ;;
*)
    echo "Usage: sh packaging/bootstrap.sh run [ARGUMENT...] | test [FILTER...]" >&2
    exit 2
    ;;
esac

# The alias `xtask` exists only inside the repository; xtask starts the application back here.
export XTASK_START_FOLDER="$PWD"
CDPATH='' cd -- "$(dirname -- "$0")/.."

rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
cargo_bin=${CARGO_HOME:-${HOME-}/.cargo}/bin
manager=
missing=

say() { echo "bootstrap: $*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
exists() {
    for file; do
        [ ! -e "$file" ] || return 0
    done
    return 1
}

# library NAME, a pattern
library() {
    # shellcheck disable=SC2086 # the pattern is to be expanded
    exists /usr/lib*/$1 /usr/lib/*-linux-gnu*/$1 /usr/lib/llvm*/lib/$1 /usr/local/lib*/$1
}

# want WHY PACKAGES..., those of Debian, of Fedora and of Arch
want() {
    case $manager in
    apt-get) packages=$2 ;;
    dnf) packages=$3 ;;
    pacman) packages=$4 ;;
    *) packages= ;;
    esac
    say "needed for $1: ${packages:-see packaging/bootstrap.sh}"
    missing="$missing $packages"
}

# Whether `cargo` is new enough. A question must not make rustup download its default toolchain.
fits() {
    version=$(RUSTUP_AUTO_INSTALL=0 cargo --version 2>/dev/null) || return 1
    version=${version#cargo }
    printf '%s\n' "$rust" "${version%%[!0-9.]*}" | sort -V -C
}

# An installed cargo that is new enough, so that nothing is downloaded where there is one: the
# user's, else the default of rustup, else any release that rustup has.
find_rust() {
    PATH=$PATH:$cargo_bin
    ! fits || return 0
    PATH=$cargo_bin:$PATH
    ! fits || return 0
    have rustup || return 1
    for toolchain in $(rustup toolchain list | sed -e '/^no /d' -e '/nightly/d' -e 's/ .*//'); do
        export RUSTUP_TOOLCHAIN="$toolchain"
        ! fits || return 0
    done
    unset RUSTUP_TOOLCHAIN
    return 1
}

install_rust() {
    say "installing Rust $rust with rustup, since no installed cargo is that new"
    if have rustup; then
        rustup toolchain install "$rust" --no-self-update --profile minimal \
            --component clippy,rustfmt >&2 </dev/null || :
    elif have curl; then
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | rustup_init
    else
        wget -qO- https://sh.rustup.rs | rustup_init
    fi
    export RUSTUP_TOOLCHAIN="$rust"
    if ! fits; then
        say "Rust $rust could not be installed; see https://rustup.rs"
        exit 1
    fi
}

rustup_init() {
    sh -s -- -y --no-modify-path --profile minimal --component clippy,rustfmt \
        --default-toolchain "$rust" >&2 || :
}

has_lints() { cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; }

has_rustup_cargo() {
    have rustup && [ "$(dirname "$(command -v rustup)")" = "$(dirname "$(command -v cargo)")" ]
}

has_compiler() { have cc && exists /usr/include/stdio.h; }
has_libclang() {
    { library 'libclang.so*' || library 'libclang-[0-9]*.so*'; } &&
        exists /usr/lib*/clang/*/include/stddef.h /usr/lib/llvm*/lib/clang/*/include/stddef.h
}
has_video_headers() { exists /usr/include/linux/videodev2.h; }
has_window() {
    library libxkbcommon-x11.so.0 && library libX11-xcb.so.1 &&
        library libXcursor.so.1 && library libXi.so.6
}
has_vulkan() {
    library libvulkan.so.1 && exists /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json
}
has_gl() {
    library libEGL.so.1 && { library 'dri/*_dri.so' || library 'libgallium*.so'; }
}
has_dialog() {
    have zenity || exists /usr/share/dbus-1/services/org.freedesktop.portal.Desktop.service
}

look_for_libraries() {
    has_compiler ||
        want "the C inside some crates" "gcc libc6-dev" gcc gcc
    have pkg-config ||
        want "crates that look for C libraries" pkg-config pkgconf-pkg-config pkgconf
    has_libclang ||
        want "the camera's bindings, which are generated" libclang-dev clang-devel clang
    has_video_headers ||
        want "the kernel's side of the camera" linux-libc-dev kernel-headers linux-api-headers
    has_window ||
        want "the window" "libxkbcommon-x11-0 libx11-xcb1 libxcursor1 libxi6" \
            "libxkbcommon-x11 libX11-xcb libXcursor libXi" \
            "libxkbcommon-x11 libx11 libxcursor libxi"
    has_vulkan || has_gl ||
        want "drawing, with or without a graphics card" \
            "libegl1 libgl1-mesa-dri mesa-vulkan-drivers" \
            "libglvnd-egl mesa-dri-drivers mesa-vulkan-drivers" "mesa vulkan-swrast"
    [ "$verb" = test ] || has_dialog ||
        want "the dialog that opens a picture" xdg-desktop-portal-gtk \
            xdg-desktop-portal-gtk xdg-desktop-portal-gtk
}

# What boots a kernel that has a virtual camera, for tests/machine/camera.rs.
can_boot_camera() { have qemu-system-x86_64 && have busybox && have cpio; }

look_for_test_tools() {
    # Elsewhere the kernels are packed in other ways, and that test is skipped.
    [ "$manager" != apt-get ] || [ "$(uname -m)" != x86_64 ] || can_boot_camera ||
        want "the test with a virtual camera" "qemu-system-x86 busybox-static cpio"
    has_vulkan ||
        want "pictures of the window" mesa-vulkan-drivers mesa-vulkan-drivers vulkan-swrast
    can_show_window ||
        want "the test of the real window" "xvfb xdotool imagemagick" \
            "xorg-x11-server-Xvfb xdotool ImageMagick" "xorg-server-xvfb xdotool imagemagick"
}

can_show_window() { have Xvfb && have xdotool && have import; }

# Unpacks Debian's kernel and its video modules, a virtual camera among them, into the cache. It is
# not installed.
fetch_kernel() {
    kernel=${XDG_CACHE_HOME:-${HOME-}/.cache}/lorgnette-test-kernel
    [ "$manager" = apt-get ] && [ "$(uname -m)" = x86_64 ] && can_boot_camera || return 0
    [ ! -d "$kernel" ] || return 0
    package=$(apt-cache depends linux-image-amd64 2>/dev/null |
        sed -n 's/.*Depends: *\(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1)
    if [ -z "$package" ]; then
        say "the test with a virtual camera is left out: there is no package linux-image-amd64"
        return
    fi
    say "unpacking $package into $kernel, for the test with a virtual camera"
    if mkdir -p "$kernel.new" &&
        (
            cd "$kernel.new" && apt-get download "$package" &&
                dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards './boot/vmlinuz-*' \
                    '*/kernel/drivers/media/*' '*/kernel/drivers/video/*' && rm ./*.deb
        ) >&2 </dev/null; then
        mv "$kernel.new" "$kernel"
    else
        say "that failed; the test will be skipped"
    fi
    rm -rf "$kernel.new"
}

# Asks for a password only at a terminal, where there is somebody to give it.
may_install() {
    sudo=
    [ "$(id -u)" != 0 ] || return 0
    have sudo || return 1
    sudo=sudo
    sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 2 ] && sudo -v; }
}

# The application's standard input and output are left alone.
as_root() { $sudo env DEBIAN_FRONTEND=noninteractive "$@" </dev/null >&2; }

install_missing() {
    case $manager in
    apt-get) install="apt-get install -y --no-install-recommends" ;;
    dnf) install="dnf install -y --setopt=install_weak_deps=False" ;;
    pacman) install="pacman -S --needed --noconfirm" ;;
    *)
        say "there is no apt-get, dnf or pacman to install it with; going on without"
        return
        ;;
    esac
    if ! may_install; then
        say "going on without, since only root may install it:${sudo:+ $sudo} $install$missing"
        return
    fi
    # shellcheck disable=SC2086 # lists of words
    {
        [ $manager != apt-get ] || as_root apt-get update || say "the package lists are not fresh"
        as_root $install $missing ||
            for package in $missing; do
                as_root $install $package || say "going on without $package"
            done
    }
}

for manager in apt-get dnf pacman ''; do
    ! have "$manager" || break
done

found=yes
find_rust || found=
if [ "$(uname -s)" = Darwin ]; then
    if ! xcode-select -p >/dev/null 2>&1; then
        say "installing Xcode's command line tools, for the C compiler and the linker"
        xcode-select --install || :
        say "start this again when they are there"
        exit 1
    fi
elif [ "$(uname -s)" = Linux ]; then
    look_for_libraries
    [ "$verb" != test ] || look_for_test_tools
    if [ -z "$found" ]; then
        have rustup || have curl || have wget ||
            want "fetching Rust" "curl ca-certificates" curl curl
    elif [ "$verb" = test ] && ! has_lints && ! has_rustup_cargo; then
        want "formatting and linting" "rustfmt rust-clippy" "rustfmt clippy" rust
    fi
    [ -z "$missing" ] || install_missing
    [ "$verb" != test ] || fetch_kernel
fi
[ -n "$found" ] || install_rust
if [ "$verb" = test ] && ! has_lints && has_rustup_cargo; then
    say "installing clippy and rustfmt with rustup, for formatting and linting"
    rustup component add clippy rustfmt >&2 </dev/null || :
fi

exec cargo xtask "$verb" "$@"
