#!/bin/sh
# Moves a guest with nothing but curl, and follows it across lost connections and restarts of the daemon.
# usage: migrate.sh GUEST HOST [KEY]    asked again with the same KEY it follows the same migration
# On the host itself it asks the daemon's socket; elsewhere SOJOURN_HOST (https://…), SOJOURN_CA_FILE and
# SOJOURN_TOKEN_FILE say where and as whom. Exit status: 0 completed, 1 otherwise.
set -eu
guest=$1 to=$2 key=${3:-$guest-$to-$(date +%s)}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

api() { # PATH [OPTION…]; the token is not in the list of processes
  path=$1
  shift
  if [ -n "${SOJOURN_HOST:-}" ]; then
    printf 'header = "Authorization: Bearer %s"\n' "$(cat "$SOJOURN_TOKEN_FILE")" |
      curl -sS -K - --cacert "$SOJOURN_CA_FILE" "$@" "$SOJOURN_HOST$path"
  else
    curl -sS --unix-socket "${SOJOURN_SOCKET:-/run/sojourn/sojourn.sock}" "$@" "http://localhost$path"
  fi
}

member() { # NAME: a text or number of the JSON object on standard input
  sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"
}

# A lost answer is no reason to worry: the same key begins nothing twice.
begun=$(api /v1/migrations --retry 5 --retry-connrefused --fail-with-body \
  -H 'content-type: application/json' -H "idempotency-key: \"$key\"" \
  -d "{\"guest\":\"$guest\",\"to\":\"$to\"}") || { echo "$begun" >&2 && exit 1; }
id=$(printf '%s\n' "$begun" | member id)
echo "migration $id"

# An event counts once its empty line has come; after a lost connection the next ones follow the last that counted.
: >"$folder/last"
while [ ! -s "$folder/end" ]; do
  api "/v1/migrations/$id/events" -N -H "Last-Event-ID: $(cat "$folder/last")" |
    while IFS= read -r line; do
      case $line in
        'id: '*) event_id=${line#id: } ;;
        'event: '*) type=${line#event: } ;;
        'data: '*) data=${line#data: } ;;
        '')
          case ${type:-} in
            phase) printf '%s\n' "$data" | member phase ;;
            report | error) printf '%s\n' "$data" >"$folder/end" ;;
          esac
          [ -z "${event_id:-}" ] || echo "$event_id" >"$folder/last"
          type='' event_id=''
          ;;
      esac
    done || true
  [ -s "$folder/end" ] || sleep 1
done
cat "$folder/end"
[ "$(member outcome <"$folder/end")" = completed ]
