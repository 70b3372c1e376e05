#!/bin/sh
# Starts one run at most once, waits for it, and writes down how it ended. It outlives the hub that started it.
#
#   supervise.sh <runDir> <hubPidFile> <keeperScript> <nodePath> <hubScript> <workspace> -- <agent argv…>
#
# Claim:  `ln` of a file of our own to `claim`. Whoever makes that link owns the run; everybody else leaves with 125.
# Start:  the agent runs in the foreground, not with `&`: a background child of a script would be born deaf to INT. Its own process
#         writes `child` before it becomes the agent, so that the record is there before the agent does anything.
# Terminal: where there is a file `terminal`, the agent has the terminal it is started in, and no files. It must not find the tmux server
#         around it by name: others live there too. A terminal that goes away ends the agent by HUP, and we write down how.
# End:    the exit code (128 + signal) goes to `exit`, whole or not at all. TERM, INT, HUP and QUIT end the agent, never us.
# After:  when the hub of the workspace is dead, its keeper is started, with none of the run's environment.
#
# `claim` and `child` hold one line: pid, boot id (or -), start time. `child` is written in one piece and counts once its line end is
# there: each program started here would cost the agent milliseconds. The run folder is for its owner alone; who makes it sees to that.
# Arguments are only ever used as words, never as script.
set -u
run=$1 hub_pid_file=$2 keeper=$3 node=$4 hub=$5 workspace=$6
shift 7

# sets $identity to what tells the process that calls it from all others
identify() {
  if read -r stat 2>/dev/null </proc/self/stat; then
    # shellcheck disable=SC2086
    started_at ${stat##*) }
    read -r boot </proc/sys/kernel/random/boot_id || boot=-
    identity="${stat%% *} $boot $started"
  else
    # shellcheck disable=SC2016
    pid=$(exec sh -c 'echo "$PPID"')
    identity="$pid - $(LC_ALL=C TZ=UTC ps -o lstart= -p "$pid")"
  fi
}

# field 22 of the whole line, counted from behind the program's name, which may hold blanks and brackets
started_at() {
  shift 19
  started=$1
}

identify
echo "$identity" >"$run/claim.$$" && ln "$run/claim.$$" "$run/claim" 2>/dev/null || {
  rm -f "$run/claim.$$"
  exit 125
}

trap : TERM INT HUP QUIT
agent() {
  identify
  echo "$identity" >"$run/child" || exit 126
  exec "$@"
}
if [ -f "$run/terminal" ]; then
  unset TMUX TMUX_PANE
  (agent "$@")
else
  (agent "$@") <"$run/prompt" >>"$run/out" 2>>"$run/err"
fi
code=$?

# a full disk may have room again in a moment
tries=0
until echo "$code" >"$run/exit.tmp" && mv "$run/exit.tmp" "$run/exit"; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] && [ -d "$run" ] || break
  sleep 1
done 2>/dev/null
rm -f "$run/claim.$$"

[ -n "$keeper" ] || exit 0
pid=
read -r pid 2>/dev/null <"$hub_pid_file"
case $pid in
'' | *[!0-9]*) ;;
*) kill -0 "$pid" 2>/dev/null && exit 0 ;;
esac
cd "$workspace" 2>/dev/null || cd /
set -- sh "$keeper" "$node" "$hub" "$workspace"
command -v setsid >/dev/null && set -- setsid "$@"
for name in PATH HOME LANG LC_ALL SHELL TERM TMPDIR USER LOGNAME XDG_CONFIG_HOME XDG_RUNTIME_DIR XDG_STATE_HOME; do
  eval "value=\${$name-}"
  [ -z "$value" ] || set -- "$name=$value" "$@"
done
env -i "$@" </dev/null >/dev/null 2>&1 &
