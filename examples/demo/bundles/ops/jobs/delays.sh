#!/bin/sh
# Mean departure delay per day of one airport: month,day,airport,flights,minutes
set -eu
awk -F, -v airport="$OUTRIDER_PARAM_AIRPORT" '
    NR > 1 && $13 == airport && $6 != "NA" { n[$2 "," $3]++; sum[$2 "," $3] += $6 }
    END { for (day in n) printf "%s,%s,%d,%.1f\n", day, airport, n[day], sum[day] / n[day] }
' "$OUTRIDER_INPUT_FLIGHTS/flights.csv" | sort -t, -k1n -k2n >"$OUTRIDER_OUTPUT_DELAYS/delays.csv"
wc -l <"$OUTRIDER_OUTPUT_DELAYS/delays.csv"
