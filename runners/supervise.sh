#!/bin/sh
# Starts one run at most once, waits for it, and writes down how it ended. It outlives the hub that started it.
#
#   supervise.sh <runDir> <hubPidFile> <keeperScript> <nodePath> <hubScript> <workspace> -- <agent argv…>
#
# Claim:  whoever makes the file `claim` owns the run; everybody else leaves with 125. Who tries for it stands in `claim.<pid>` before, so that
#         a claim in which no owner stands yet is not taken for that of a dead one.
# Start:  the agent runs in the foreground, not with `&`: a background child of a script would be born deaf to INT. Its own process
#         writes `child` before it becomes the agent, so that the record is there before the agent does anything.
# Input:  the file `prompt`. Where there is a file `in` instead, the agent is fed from that for as long as it lives or the feeder does, so
#         that more can be said to it. It then waits for its hub when it is done, so a watch makes sure that there is one. Both are started
#         beside the agent, not before it, and are ended with it.
# Terminal: where there is a file `terminal`, the agent has the terminal it is started in, and no files. It must not find the tmux server
#         around it by name: others live there too. A terminal that goes away ends the agent by HUP, and we write down how.
# End:    the exit code (128 + signal) goes to `exit`. TERM, INT, HUP and QUIT end the agent, never us.
# After:  when the hub of the workspace is dead, its keeper is started, with none of the run's environment.
#
# `claim`, `child`, `feeder`, `watch` and the file of the hub hold one line: pid, boot id (or -), start time. They and `exit` are written in one piece and count
# once their line end is there: each program started here would cost milliseconds. The run folder is for its owner alone; who makes it sees to that.
# Arguments are only ever used as words, never as script.
set -u
run=$1 hub_pid_file=$2 keeper=$3 node=$4 hub=$5 workspace=$6
shift 7

# sets $identity to what tells a process from all others; with `self` the one that calls it
identify() {
  if [ -r /proc/self/stat ]; then
    read -r stat <"/proc/$1/stat" || return
    # shellcheck disable=SC2086
    started_at ${stat##*) }
    read -r boot </proc/sys/kernel/random/boot_id || boot=-
    identity="${stat%% *} $boot $started"
  else
    # shellcheck disable=SC2016
    [ "$1" != self ] || set -- "$(exec sh -c 'echo "$PPID"')"
    identity="$1 - $(LC_ALL=C TZ=UTC ps -o lstart= -p "$1")"
    # some fill up the line with blanks, which are not read back
    identity=${identity%"${identity##*[! ]}"}
  fi
} 2>/dev/null

# field 22 of the whole line, counted from behind the program's name, which may hold blanks and brackets
started_at() {
  shift 19
  started=$1
}

agent() {
  identify self
  write_down child "$identity" || {
    echo "The agent was not started: nothing can be written into the folder of its run." >&2
    exit 126
  }
  exec "$@"
}

# writes down who was just started in the background
note() {
  identify "$!" && echo "$identity" >"$run/$1" || kill "$!"
} 2>/dev/null

# whether the process that this file names is still there: its pid alone may be somebody else's by now
lives() {
  read -r noted <"$1" && identify "${noted%% *}" && [ "$identity" = "$noted" ]
} 2>/dev/null

# ends who was written down
end() {
  lives "$run/$1" && kill "${noted%% *}"
} 2>/dev/null

# a full disk may have room again in a moment
write_down() {
  tries=0
  until echo "$2" >"$run/$1"; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] && [ -d "$run" ] || return 1
    sleep 1
  done
} 2>/dev/null

start_keeper() (
  # a hub would make anew what somebody has removed
  [ -d "$run" ] || exit
  cd "$workspace" 2>/dev/null || cd /
  set -- sh "$keeper" "$node" "$hub" "$workspace"
  command -v setsid >/dev/null && set -- setsid "$@"
  for name in PATH HOME LANG LC_ALL SHELL TERM TMPDIR USER LOGNAME XDG_CONFIG_HOME XDG_RUNTIME_DIR XDG_STATE_HOME; do
    eval "value=\${$name-}"
    [ -z "$value" ] || set -- "$name=$value" "$@"
  done
  env -i "$@" </dev/null >/dev/null 2>&1 &
)

# sleeps so many seconds; false when the watch is over
nap() {
  sleep "$1" &
  nap=$!
  [ -z "$over" ] || kill -KILL "$nap"
  wait "$nap"
  nap=
  [ -z "$over" ] && [ -d "$run" ] && [ ! -e "$run/exit" ]
} 2>/dev/null

# a hub that dies is started again by its keeper, so one look is not enough; one that cannot live is tried ever more seldom
watch() {
  # not by a redirection of the call, for which the shell would keep the agent's input open
  exec >/dev/null 2>&1
  nap='' over=''
  # not TERM, which is lost on a process that was just forked
  trap 'over=1; [ -z "$nap" ] || kill -KILL "$nap"' TERM
  every=5
  while nap "$every"; do
    if lives "$hub_pid_file"; then
      every=5
    elif nap 1 && ! lives "$hub_pid_file"; then
      start_keeper
      [ "$every" -ge 600 ] || every=$((every * 2))
    fi
  done
}

identify self
echo "$identity" >"$run/claim.$$" || exit 125
# the shell makes the file only where there is none
set -C
{ true >"$run/claim"; } 2>/dev/null || {
  rm -f "$run/claim.$$"
  exit 125
}
set +C
# a full disk has room for another name of what is written already
{ echo "$identity" >"$run/claim"; } 2>/dev/null || mv -f "$run/claim.$$" "$run/claim" || exit 125

trap : TERM INT HUP QUIT
if [ -f "$run/terminal" ]; then
  unset TMUX TMUX_PANE
  (agent "$@")
  code=$?
elif [ -f "$run/in" ]; then
  {
    # whoever started us may hold us back here, so that the agent is there first
    read -r _
    tail -n +1 -f "$run/in" 2>/dev/null &
    note feeder
    [ -z "$keeper" ] || {
      watch &
      note watch
    }
  } | (agent "$@") >>"$run/out" 2>>"$run/err"
  code=$?
  end watch
  end feeder
else
  (agent "$@") <"$run/prompt" >>"$run/out" 2>>"$run/err"
  code=$?
fi

write_down exit "$code"

[ -z "$keeper" ] || lives "$hub_pid_file" || start_keeper
