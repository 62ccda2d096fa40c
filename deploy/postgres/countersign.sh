#!/bin/sh
# Run once by the image of PostgreSQL, when its volume is empty: our role and our database beside Temporal's.
set -eu

# postgresql://<user>:<password>@<host>/<database>
url=$(cat "${COUNTERSIGN_DATABASE_FILE:-/run/secrets/countersign_database}")
account=${url#*://}
account=${account%%@*}
database=${url##*/}

# As variables of psql, which quotes them.
psql --set ON_ERROR_STOP=1 --set user="${account%%:*}" --set password="${account#*:}" --set database="${database%%\?*}" \
  --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE :"user" LOGIN PASSWORD :'password';
CREATE DATABASE :"database" OWNER :"user";
SQL
