#!/bin/sh
# The sum of one region's orders: region,orders,amount
set -eu
awk -F, -v region="$OUTRIDER_PARAM_REGION" '
    $2 == region { n++; sum += $3 }
    END { printf "%s,%d,%d\n", region, n, sum }
' "$OUTRIDER_INPUT_ORDERS/orders.csv" | tee "$OUTRIDER_OUTPUT_TOTAL/total.csv"
