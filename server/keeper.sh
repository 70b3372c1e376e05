#!/bin/sh
# Keeps a hub running: sh keeper.sh <node> <hub script> <workspace>
#
# Exit code 0 of the hub (idle, told to stop, another one owns the workspace) ends the keeper. 78 (it can never work so) ends it too, and
# hub.failed says why. After anything else the hub is started again: at once after a long life, with back-off after a short one.
state="$3/.scopecraft/state"
log="$state/hub.log"
most_per_hour=60
child=
nap=
stopping=

write_to_log() { (umask 077 && : >>"$log") && exec >>"$log" 2>&1; }
write_to_log

say() { echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) keeper $$: $*"; }

give_up() {
  say "$1"
  # the hub knows better why, and then it has said so
  if [ "$2" = force ] || [ ! -s "$state/hub.failed" ]; then
    printf '{"code":"HUB_UNREACHABLE","message":"%s"}\n' "$1 The end of hub.log in .scopecraft/state says more." >"$state/.failed.$$"
    mv -f "$state/.failed.$$" "$state/hub.failed"
  fi
  exit 1
}

stop() {
  stopping=1
  if [ -n "$child" ]; then kill -TERM "$child" 2>/dev/null; fi
  if [ -n "$nap" ]; then kill "$nap" 2>/dev/null; fi
}
trap stop TERM INT HUP

delay=100
hour_from=
deaths=0
while :; do
  # before the hub only what must be: each program started here takes milliseconds, and a door waits
  if [ -e "$state/hub.failed" ]; then rm -f "$state/hub.failed"; fi
  "$1" "$2" --workspace "$3" &
  child=$!
  if [ -n "$stopping" ]; then stop; fi
  began=$(date +%s)
  wait "$child"
  code=$?
  # a signal to the keeper ends the wait, not the hub
  while [ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null; do
    wait "$child"
    code=$?
  done
  child=
  # not before the hub starts: a door waits for that
  if [ -f "$log" ] && [ "$(wc -c <"$log")" -gt 5242880 ]; then mv -f "$log" "$log.1" && write_to_log; fi

  if [ "$code" -eq 0 ] || [ -n "$stopping" ]; then exit 0; fi
  if [ "$code" -eq 78 ]; then give_up "The hub of this workspace cannot start."; fi
  ended=$(date +%s)
  if [ $((ended - began)) -gt 60 ]; then delay=100; fi
  hour=$((ended - ${hour_from:=$began}))
  # the clock may have been set back
  if [ "$hour" -ge 3600 ] || [ "$hour" -lt 0 ]; then hour_from=$ended deaths=0; fi
  deaths=$((deaths + 1))
  if [ "$deaths" -ge "$most_per_hour" ]; then give_up "The hub of this workspace died $most_per_hour times within an hour." force; fi
  say "the hub ended with code $code; next start in $delay ms"
  sleep "$((delay / 1000)).$(printf %03d $((delay % 1000)))" &
  nap=$!
  wait "$nap"
  nap=
  if [ -n "$stopping" ]; then exit 0; fi
  delay=$((delay * 2))
  if [ "$delay" -gt 30000 ]; then delay=30000; fi
done
