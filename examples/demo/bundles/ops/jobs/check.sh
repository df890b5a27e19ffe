#!/bin/sh
# Every airport must have a line for every day of 2013. The first try pretends that a file has not arrived yet.
set -eu
if [ "$OUTRIDER_TRY_NUMBER" = 1 ]; then
    echo "the reference calendar is not there yet" >&2
    exit 75
fi
for part in "$OUTRIDER_INPUT_DELAYS"/*; do
    echo "$(basename "$part") $(wc -l <"$part/delays.csv") days"
done | tee "$OUTRIDER_OUTPUT_REPORT/report.txt"
