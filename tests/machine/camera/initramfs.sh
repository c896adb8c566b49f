#!/bin/sh
# Makes the file system of the virtual machine of tests/machine/camera.rs: busybox, the modules that the
# kernel's virtual camera needs, the program with its libraries, and a model.
# Usage: initramfs.sh OUTPUT PROGRAM MODEL KERNEL_MODULES
set -eu

output=$1 program=$2 model=$3 kernel_modules=$4
here=$(dirname -- "$0")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/modules"
cp "$(command -v busybox)" "$root/bin/busybox"
cp "$here/init" "$root/init"
chmod +x "$root/init"

# Unpacked here, as not every busybox can; in the order in which they can be loaded.
add_module() {
    name=$(echo "$1" | tr - _)
    case " $added " in *" $name "*) return ;; esac
    added="$added $name"
    # A module that is nowhere is part of the kernel.
    file=$(find "$kernel_modules" -name "$(echo "$name" | sed 's/_/[_-]/g').ko*" | head -n 1)
    [ -n "$file" ] || return 0
    case $file in
    *.xz) xz -dc "$file" ;;
    *.zst) zstd -qdc "$file" ;;
    *.gz) gzip -dc "$file" ;;
    *) cat "$file" ;;
    esac >"$root/modules/$name.ko"
    needed=$(tr '\0' '\n' <"$root/modules/$name.ko" | sed -n 's/^depends=//p' | tr , ' ')
    # The loop's words were made before the recursion changes the variables.
    for other in $needed; do
        add_module "$other"
    done
    # Set again: the recursion used it.
    name=$(echo "$1" | tr - _)
    echo "$name" >>"$root/modules/order"
}
added=
add_module vivid
if ! grep -qx vivid "$root/modules/order"; then
    echo "this kernel has no virtual camera: there is no module vivid in $kernel_modules" >&2
    exit 1
fi

cp "$program" "$root/bin/lorgnette"
# What a debugger needs would fill the machine's memory.
! command -v strip >/dev/null || strip "$root/bin/lorgnette"
for file in "$program" "$root/bin/busybox"; do
    # One that is linked statically has none.
    ldd "$file" 2>/dev/null || :
done | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
# The program wants a folder of shipped models, even where it is given another one.
mkdir -p "$root/model" "$root/models"
cp -RL "$model/." "$root/model"

# One part of the test is not root.
chmod -R a+rX "$root"
(cd "$root" && find . | cpio --quiet -o -H newc) >"$output"
