#!/bin/sh
# The main job on the example data: validate, plan, apply, and a second plan that has nothing to do.
set -eu
bin=${BIN:-.venv/bin}
say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
run() { say "reconciler $*"; "$bin/reconciler" "$@"; }

rm -rf .reconciler/state/sandbox .reconciler/emulator/sandbox.sqlite*
run validate
run plan sandbox
run apply sandbox --yes
run plan sandbox
run status sandbox
