#!/bin/sh
# Fails where a source file has more than 500 lines. Vendored and generated files don't count.
set -eu
cd "$(dirname "$0")/.."

limit=500
git ls-files --cached --others --exclude-standard -- '*.go' '*.sh' '*.py' Makefile .ci ':!vendor' | sort -u | {
  failed=0
  while read -r file; do
    [ -f "$file" ] || continue
    ! head -n 5 "$file" | grep -q '^// Code generated .* DO NOT EDIT\.$' || continue
    lines=$(wc -l <"$file")
    if [ "$lines" -gt "$limit" ]; then
      echo "$file has $lines lines; $limit is the limit: split it by subject" >&2
      failed=1
    fi
  done
  exit "$failed"
}
