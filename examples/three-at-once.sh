#!/bin/sh
# Starts three tasks at once, waits until all have settled, and shows how they ended. Run it in a workspace with the tasks of examples/tasks.
set -eu

start() {
  sc session start "$1" --agent=demo --label=three-at-once --format=json |
    node -e 'process.stdin.on("data", (text) => console.log(JSON.parse(text).id))'
}

first=$(start greeting)
second=$(start count-lines)
third=$(start failing-check)

# ends with 1 when one of them did not complete
sc session wait "$first" "$second" "$third" --until=all || echo "Not all of them completed."
sc session list --label=three-at-once
