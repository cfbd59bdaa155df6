#!/bin/sh
# libfragoracle_tap.so shows one symbol, and needs nothing but the C library.
#   tests/oracle/tap_symbols.sh LIBRARY
shown=$(nm -D --defined-only "$1" | awk '{ print $NF }')
[ "$shown" = InitializeInjection ] || { printf 'shown: %s\n' "$shown"; exit 1; }
needed=$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc\.so|libm\.so|libdl|libpthread|ld-linux|lib(a|ub)san)')
[ -z "$needed" ] || { printf 'needed: %s\n' "$needed"; exit 1; }
echo "one symbol: $shown"
