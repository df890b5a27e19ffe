#!/bin/sh
# The ten days with the longest mean delay over all airports.
set -eu
awk -F, 'NR > 1 { printf "%s,%.1f\n", $1, ($2 + $3 + $4) / 3 }' "$OUTRIDER_INPUT_DAILY/daily.csv" |
    sort -t, -k2rn | head -n 10 | tee "$OUTRIDER_OUTPUT_WORST/worst.csv"
