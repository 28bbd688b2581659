#!/usr/bin/env bash
# Gets the two event stores that bench compares with, from npm, into the folder
# .peers, which git ignores. Only their SQL is used.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p .peers
npm install --prefix .peers --no-audit --no-fund --ignore-scripts --legacy-peer-deps --silent \
  @eventide/message-db@1.3.1 @event-driven-io/emmett-postgresql@0.42.0
