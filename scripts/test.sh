#!/usr/bin/env bash
# Install what is missing, build, run every test. Arguments are passed on to ctest.
set -euo pipefail
source "$(dirname "$0")/common.sh"
install_packages
build default || trouble "the build failed"
exec ctest --preset default "$@"
