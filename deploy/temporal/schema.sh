#!/bin/sh
# Temporal's two databases, made or brought up to what this version of the server needs. May be repeated.
set -eu

SQL_PASSWORD=$(cat "$PASSWORD_FILE")
export SQL_PASSWORD

tool() {
  database=$1
  shift
  temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_HOST" -p 5432 -u "$POSTGRES_USER" --db "$database" "$@"
}

for pair in temporal:temporal temporal_visibility:visibility; do
  tool "${pair%:*}" create
  tool "${pair%:*}" setup-schema -v 0.0
  tool "${pair%:*}" update-schema -d "/etc/temporal/schema/postgresql/v12/${pair#*:}/versioned"
done
