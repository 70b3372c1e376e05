#!/bin/sh
# A hook of Claude Code: adds what it is told on standard input to a file, as one line. sh hook.sh <file>
#
# Hooks run side by side. So the line is made aside and added by one single write, which the kernel does not tear; dd writes once for
# each block it reads, and a block holds any line. It prints nothing, which the agent would be told, reads all, and never fails.
umask 077
{
  { cat && echo; } >"$1.$$" && dd if="$1.$$" bs=16777216 >>"$1" || cat
  rm -f "$1.$$"
} >/dev/null 2>&1
exit 0
