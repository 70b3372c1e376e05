#!/bin/sh
# A hook of Claude Code: adds what it is told on standard input to a file, as one line. to=<file>; . hook.sh
#
# Hooks run side by side. So a line is added by one single write, which the kernel does not tear: dd collects what it reads in one block,
# which holds any line, and ends it with a line end. One that cannot do that reads nothing, and the line is made aside. A prompt waits for
# its line, so as few programs as can be are started for it. It prints nothing, which the agent would be told, reads all, and never fails.
umask 077
aside() {
  { cat && echo; } >"$to.$$" && dd if="$to.$$" bs=16777216 >>"$to" || cat
  rm -f "$to.$$"
}
{ dd ibs=65536 obs=16777216 cbs=16777216 conv=unblock >>"$to" || aside; } >/dev/null 2>&1
exit 0
