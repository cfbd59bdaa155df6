#!/usr/bin/env bash
# The main job: install what is missing, build, check the production kernel and write everything to results/.
# Arguments are passed on to `fragoracle check` (paths from the root of the repository). Its exit status is this
# script's: 0 conforms, 1 differs, 2 trouble.
set -euo pipefail
source "$(dirname "$0")/common.sh"
install_packages
build default fragoracle || trouble "the build failed"
exec build/default/oracle/fragoracle check --out results "$@"
