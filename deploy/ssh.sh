#!/usr/bin/env bash
# Renders a walk on machines that can be reached by SSH: a part on each GPU, then it assembles here.
#
#   deploy/ssh.sh WALK HOST[:GPU] ...        deploy/ssh.sh castle node1:0 node1:1 node2:0 localhost:0
#
# Each machine needs latent-assets in its PATH, and the same store: set LATENT_ASSETS_STORE here (a
# bucket, or a folder that all see), and LATENT_ASSETS_DATA where the walks lie there, if they lie
# elsewhere than here. A machine that fails is named; its part is rendered here in the end.
# LATENT_ASSETS_SSH: another command than ssh, `ssh -i key` for instance.
set -uo pipefail
[ $# -ge 2 ] || { echo "usage: $0 WALK HOST[:GPU] ..." >&2; exit 2; }
walk=$1
shift
parts=$# number=0 pids=() names=()

settings() { # LATENT_ASSETS_* and AWS_* of here, quoted for the shell there
  env -0 | while IFS= read -r -d '' pair; do
    case $pair in
      LATENT_ASSETS_SSH=*) ;;
      LATENT_ASSETS_* | AWS_*) printf '%s=%q ' "${pair%%=*}" "${pair#*=}" ;;
    esac
  done
}

for place in "$@"; do
  number=$((number + 1))
  host=${place%%:*} gpu=${place#"$host"}
  command="$(settings)${gpu:+CUDA_VISIBLE_DEVICES=${gpu#:} }latent-assets render $(printf %q "$walk") --shard $number/$parts"
  if [ "$host" = localhost ]; then
    bash -c "$command" &
  else
    # The command goes in by stdin: secrets are then in no list of processes.
    ${LATENT_ASSETS_SSH:-ssh} -o BatchMode=yes "$host" bash -s <<<"$command" &
  fi
  pids+=($!) names+=("$place")
done
trap 'kill "${pids[@]}" 2>/dev/null' INT TERM
for index in "${!pids[@]}"; do
  wait "${pids[$index]}" || echo "part $((index + 1))/$parts on ${names[$index]} failed; it is rendered here" >&2
done
trap - INT TERM
exec latent-assets render "$walk"
