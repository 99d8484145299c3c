#!/usr/bin/env bash
# Transfer a model as a file; options are those of streaming_job.py.
set -euo pipefail
here=$(dirname "$0")
python "$here/utils/log_memory.py" "file_stream_memory.csv" python "$here/streaming_job.py" --retriever_mode file "$@"
