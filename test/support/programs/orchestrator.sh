#!/usr/bin/env bash
# An orchestrator that has nothing but curl and openssl: asks a daemon for moves, follows them, is told and is asked.
# usage: orchestrator.sh GUEST DESTINATION FOLDER RECEIVER…
# FOLDER holds gate.secret; RECEIVER… is a command line that gets a port and a folder (see inbox.ts).
set -euo pipefail

guest=$1 destination=$2 folder=$3
receiver=("${@:4}")
hook_port=8099 gate_port=8098
ask=(curl -sS --max-time 120 --unix-socket /run/sojourn/sojourn.sock)
readonly ask guest destination folder receiver hook_port gate_port
readonly hooks=$folder/hooks gate=$folder/gate
cd "$folder"
mkdir -p "$hooks" "$gate"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

main() {
  printf ok >"$hooks/answer"
  start_receiver "$gate_port" "$gate"
  start_receiver "$hook_port" "$hooks"
  hook_receiver=$!
  subscribe
  kill "$hook_receiver"
  wait "$hook_receiver" 2>/dev/null || true
  local away=$SECONDS

  denied_at_a_gate
  moved_and_followed_across_a_cut
  say "the receiver was away for $((SECONDS - away)) s"
  start_receiver "$hook_port" "$hooks"
  nothing_lost_and_all_signed
}

subscribe() {
  local url=http://127.0.0.1:$hook_port/
  api -f /v1/webhooks --json "{\"name\": \"ledger\", \"url\": \"$url\"}" >webhook.json
  member secret <webhook.json >hook.secret
  retry 50 api -f -X POST /v1/webhooks/ledger/test -o /dev/null 2>/dev/null
  say 'subscribed'
}

denied_at_a_gate() {
  printf '{"decision": "deny", "reason": "not today"}' >"$gate/answer"
  local id status
  id=$(api -f /v1/migrations --json "$(request)" | member id)
  api -fN "/v1/migrations/$id/events" >denied.events
  [ "$(events denied.events | tail -n 1 | cut -d ' ' -f 2)" = error ] || fail 'the stream of a denied move ends otherwise'
  grep -q '"code":"SOJ_DENIED_BY_GATE"' denied.events || fail 'the denial is not told'
  [ "$(api -f "/v1/migrations/$id" | member state)" = rolled-back ] || fail 'not rolled back'
  status=$(api -f "/v1/guests/$guest" | member state)
  [ "$status" = running ] || fail "$guest is $status"
  check_signatures "$gate" "$(cat gate.secret)"
  say "denied: $id"
  printf '%s\n' "$id" >denied.id
  printf '{"decision": "allow"}' >"$gate/answer"
}

moved_and_followed_across_a_cut() {
  local first id again uncut follower last
  first=$(api -fi /v1/migrations -H 'idempotency-key: "move-1"' --json "$(request)")
  grep -q '^HTTP/1.1 201' <<<"$first" || fail "no 201: $first"
  id=$(member id <<<"$first")
  again=$(api -f /v1/migrations -H 'idempotency-key: "move-1"' --json "$(request)" | member id)
  [ "$id" = "$again" ] || fail "one key, two migrations: $id, $again"

  api -fN "/v1/migrations/$id/events" >uncut.events &
  uncut=$!
  "${ask[@]}" -fN "http://localhost/v1/migrations/$id/events" >first.events &
  follower=$!
  retry 200 has_events first.events 3
  kill "$follower"
  wait "$follower" 2>/dev/null || true
  last=$(events first.events | tail -n 1 | cut -d ' ' -f 1)
  retry 200 has_gone_on "$id"
  api -fN "/v1/migrations/$id/events" -H "last-event-id: $last" >rest.events
  wait "$uncut"
  { events first.events; events rest.events; } >pieces
  events uncut.events >whole
  cmp pieces whole || fail 'an event is missing or came twice'
  [ "$(tail -n 1 whole | cut -d ' ' -f 2)" = report ] || fail 'the stream does not end with the report'
  [ -z "$(cut -d ' ' -f 1 whole | sort | uniq -d)" ] || fail 'two events have one id'
  [ "$(api /v1/migrations/"$id"/events -H "last-event-id: $(tail -n 1 whole | cut -d ' ' -f 1)" -o /dev/null -w '%{http_code}')" = 204 ] ||
    fail 'nothing is left to follow, but there is no 204'
  [ "$(api -f "/v1/migrations/$id" | member state)" = completed ] || fail 'not completed'
  [ "$(api -f "/v1/migrations?guest=$guest" | grep -o '"started_ms"' | wc -l)" = 2 ] || fail 'not two migrations in the list'
  say "moved: $id, $(wc -l <whole) events, $(events first.events | wc -l) of them before the cut"
  printf '%s\n' "$id" >moved.id
}

nothing_lost_and_all_signed() {
  retry 200 received "$(cat moved.id)" completed
  local id
  for id in "$(cat denied.id)" "$(cat moved.id)"; do
    api -fN "/v1/migrations/$id/events" | told_by_stream >expected
    told_by_hooks "$id" >got
    [ "$(wc -l <got)" -ge 2 ] || fail "hardly any message about $id"
    diff expected got || fail "messages about $id are missing, or in another order"
  done
  awk 1 "$hooks"/*.id | sort >ids
  [ -z "$(uniq -d ids)" ] || fail "a message came twice: $(uniq -d ids)"
  check_signatures "$hooks" "$(cat hook.secret)"
  say "received: $(wc -l <ids | tr -d ' ') messages"
}

# api ARGUMENT…: curl, to the daemon; the argument that begins with /v1 is the path.
api() {
  local arguments=() argument path=
  for argument; do
    if [ -z "$path" ] && [ "${argument#/v1}" != "$argument" ]; then
      path=$argument
    else
      arguments+=("$argument")
    fi
  done
  "${ask[@]}" "${arguments[@]}" "http://localhost$path"
}

request() {
  printf '{"guest": "%s", "to": "%s"}' "$guest" "$destination"
}

# member NAME: the first string member of that name on standard input.
member() {
  grep -o "\"$1\":\"[^\"]*\"" | sed -n '1s/.*:"\(.*\)"/\1/p'
}

# events FILE: "ID TYPE" of each event that is whole.
events() {
  awk '/^id: /{id=$2} /^event: /{type=$2} /^data: /{data=1} /^$/{if (data) print id, type; data=0}' "$1"
}

has_events() {
  [ "$(events "$1" | wc -l)" -ge "$2" ]
}

# has_gone_on MIGRATION: things have happened since its first few events.
has_gone_on() {
  case $(api -f "/v1/migrations/$1" | member state) in planned | preparing | prepared) return 1 ;; esac
}

# told_by_stream: the types of messages that a stream of events stands for.
told_by_stream() {
  local phases='preparing|prepared|precopy|armed|switchover|resumed|verifying|rolling-back'
  sed -nE \
    -e "s/^data: \{\"type\":\"phase\".*\"phase\":\"($phases)\".*/migration.\1/p" \
    -e 's/^data: \{"type":"gate".*/migration.gate/p' \
    -e 's/^data: \{"type":"report".*"outcome":"([^"]*)".*/migration.\1/p' \
    -e 's/^data: \{"type":"error".*/migration.rolled-back/p'
}

# told_by_hooks MIGRATION: the types of the messages about it, in the order in which they came.
told_by_hooks() {
  local body
  for body in "$hooks"/*.body; do
    if grep -q "\"migration\":{\"id\":\"$1\"" "$body" && grep -q '"type":"migration\.' "$body"; then
      grep -o '"type":"migration[^"]*"' "$body" | sed -n '1s/.*:"\(.*\)"/\1/p'
    fi
  done
}

received() {
  told_by_hooks "$1" | grep "migration.$2" >/dev/null
}

# check_signatures FOLDER SECRET: every message there is signed with it, as Standard Webhooks says.
check_signatures() {
  local body name key expected
  key=$(printf %s "${2#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
  for body in "$1"/*.body; do
    name=${body%.body}
    expected=v1,$({ printf '%s.%s.' "$(cat "$name.id")" "$(cat "$name.time")"; cat "$body"; } |
      openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)
    [ "$(cat "$name.signature")" = "$expected" ] || fail "wrong signature of $body"
  done
}

# start_receiver PORT FOLDER: in the background, as $!.
start_receiver() {
  "${receiver[@]}" "$1" "$2" &
}

# retry TIMES COMMAND…: until it succeeds, every 100 ms.
retry() {
  local times=$1
  shift
  until "$@"; do
    times=$((times - 1))
    [ "$times" -gt 0 ] || fail "never came true: $*"
    sleep 0.1
  done
}

say() {
  printf 'ok: %s\n' "$*"
}

fail() {
  printf 'orchestrator: %s\n' "$*" >&2
  exit 1
}

main
