#!/usr/bin/env bash
# try_installed.sh PYTHON WHEEL: what a user does who has no checkout, in a folder of their own.
set -euo pipefail
python=$1
wheel=$(realpath "$2")
constraints=$(realpath "$(dirname "$0")/../constraints.txt")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$python" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$constraints" "$wheel"
run="$place/venv/bin/latent-assets"
mkdir "$place/work" && cd "$place/work"
for name in $(env | sed -n 's/^\(LATENT_ASSETS_[A-Z0-9_]*\)=.*/\1/p'); do unset "$name"; done

"$run" list > listed
grep -q 'latent-assets init' listed
"$run" init art
cd art
"$run" list > ../listed
grep -q demo-guidance ../listed
"$run" validate
"$run" new mine
"$run" vocabulary a strawberry >/dev/null
"$run" render demo-guidance --json >/dev/null
test -s outputs/demo-guidance/demo-guidance.gif
"$run" verify demo-guidance
"$run" doctor
"$run" docs walk-files | grep -q "^# Walk files"
# Nothing is written where packages are installed.
package=$("$place/venv/bin/python" -c 'import latent_assets; print(latent_assets.__path__[0])')
test -z "$(find "$package" -type f -newer latent-assets.toml -not -name '*.pyc')"
echo "installed: works"
