#!/usr/bin/env bash
# Transfer a model in the task itself, as FLARE sends it without streaming; options are those of streaming_job.py.
set -euo pipefail
here=$(dirname "$0")
python "$here/utils/log_memory.py" "regular_transmission_memory.csv" python "$here/streaming_job.py" "$@"
