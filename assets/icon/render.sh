#!/bin/sh
# Renders lorgnette.svg, which is the icon, into the sizes that desktops ask for. Run it after every
# change of the drawing, look at the small ones, and commit what it makes.
#
# Needs rsvg-convert: `apt install librsvg2-bin`, `dnf install librsvg2-tools`, `brew install librsvg`.
# The icon was drawn for Lorgnette and has the project's licence.
set -eu
cd "$(dirname "$0")"
for size in 16 32 48 64 128 256 512; do
    rsvg-convert --width "$size" --height "$size" --output "lorgnette-$size.png" lorgnette.svg
done
