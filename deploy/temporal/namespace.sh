#!/bin/sh
# Our namespace, once the server is healthy. May be repeated; an existing one is left alone.
set -eu

attempts=0
until temporal operator cluster health >/dev/null; do
  attempts=$((attempts + 1))
  [ "$attempts" -lt 12 ] || exit 1
  sleep 5
done

temporal operator namespace describe --namespace "$NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$NAMESPACE" --retention "$RETENTION"
