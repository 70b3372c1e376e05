#!/bin/sh
# A hook of Claude Code: adds what it is told on standard input to a file, as one line. to=<file>; . hook.sh
#
# Hooks run side by side. So a line is added by one single write, which the kernel does not tear: dd collects what it reads in one block,
# which holds any line, and ends it with a line end. One that cannot do that reads nothing, and the line is made aside. A prompt waits for
# its line, so as few programs as can be are started for it. It prints nothing, which the agent would be told, reads all, and never fails.
#
# With asks=<folder> it is told what the agent asks. Its line then begins with an id that was never there in this run, and it waits for the
# file <id>.answer in that folder, and prints that: the decision, or nothing where it was made in the terminal. Meanwhile the dialog stands
# there and can be answered; Claude Code ends a hook whose question was denied there, but not one whose question was allowed. So it also
# ends when the agent, whose child it is, or the folder is gone.
umask 077
aside() {
  { cat && echo; } >"$to.$$" && dd if="$to.$$" bs=16777216 >>"$to" || cat
  rm -f "$to.$$"
}
add() {
  { dd ibs=65536 obs=16777216 cbs=16777216 conv=unblock >>"$to" || aside; } >/dev/null 2>&1
}
ask() {
  # two that live have two process ids, but one may come again
  id=$$
  while [ -e "$asks/$id" ] || [ -e "$asks/$id.answer" ]; do id=$id.; done
  true >"$asks/$id"
  { printf '%s ' "$id" && cat; } | add
  looks=0
  while [ -d "$asks" ] && [ ! -f "$asks/$id.answer" ] && kill -0 "$PPID"; do
    looks=$((looks + 1))
    # a rule answers at once, people do not
    if [ "$looks" -gt 40 ]; then sleep 0.5; else sleep 0.05; fi
  done
  [ ! -f "$asks/$id.answer" ] || cat "$asks/$id.answer"
}
if [ -n "${asks-}" ]; then ask 2>/dev/null; else add; fi
exit 0
