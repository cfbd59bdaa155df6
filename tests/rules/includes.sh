#!/bin/sh
# The include directions of the rooms hold: fails on every #include that its room does not allow.
#   tests/rules/includes.sh [ROOT]
cd "${1:-.}" || exit 2
find . \( -name .git -o -name 'build*' -o -name results -o -name artifacts \) -prune -o \
    -type f \( -name '*.c' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' \) -print | sed 's|^\./||' | LC_ALL=C sort |
    awk -f "${FRAGORACLE_RULES:-tests/rules}/includes.awk"
