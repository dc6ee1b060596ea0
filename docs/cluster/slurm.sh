#!/bin/bash
# `sbatch docs/cluster/slurm.sh --budget 20M --trials 50`: the same command again goes on. Not run under SLURM here.
#SBATCH --job-name=patchscale
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
set -euo pipefail
: "${MLFLOW_TRACKING_URI:?}" "${PATCHSCALE_STORAGE:?}"
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(getent hosts "$head" | awk '{print $1; exit}')
# Five minutes before the time is up no further epoch is started: a signal would end Ray first.
left=$((SLURM_JOB_END_TIME - $(date +%s) - 300))
# Ray starts on every node, the command runs on the first one, and all end with it.
exec srun --kill-on-bad-exit=1 ray symmetric-run --address "$address:6379" --min-nodes "$SLURM_JOB_NUM_NODES" \
  --num-cpus "$SLURM_CPUS_PER_TASK" -- patchscale hpo --engine ray --address auto --timeout "${left}s" "$@"
