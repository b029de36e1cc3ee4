#!/usr/bin/env bash
# The test command. `bash tests/run.sh` installs what it needs (Debian packages, Python environments and texts of npm packages
# under target/) and runs everything; `bash tests/run.sh quick` runs the Rust part with what is there.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

mode=${1:-all}
mkdir -p target
log=target/tests.log
: >"$log"
failed_steps=()

# Runs one step, shows its output and keeps it for the summary.
step() {
    local name=$1
    shift
    printf '\n=== %s\n' "$name"
    "$@" 2>&1 | tee -a "$log"
    [ "${PIPESTATUS[0]}" -eq 0 ] || failed_steps+=("$name")
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# A software Vulkan driver for the shader tests, Python's venv module, and Java for multi-model-server.
install_packages() {
    local missing=()
    dpkg -s mesa-vulkan-drivers libvulkan1 >/dev/null 2>&1 || missing+=(mesa-vulkan-drivers libvulkan1)
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
    command -v curl >/dev/null || missing+=(curl)
    command -v java >/dev/null || missing+=(default-jre-headless)
    [ ${#missing[@]} -eq 0 ] && return
    as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# One environment for each client family, made anew when its requirements change.
install_python() {
    local requirements=tests/clients/$1/requirements.txt venv=target/venv-$1
    cmp -s "$requirements" "$venv/installed.txt" && return
    rm -rf "$venv"
    python3 -m venv "$venv" && "$venv/bin/pip" install -q -r "$requirements" && cp "$requirements" "$venv/installed.txt"
}

# Kernels are checked with what they say they use in front, as the program composes them.
check_shaders() {
    local shader used text=target/shader.wgsl
    command -v naga >/dev/null || echo "skipped: no naga on this machine"
    command -v tint >/dev/null || echo "skipped: no tint on this machine"
    for shader in shaders/*.wgsl; do
        : >"$text"
        for used in $(sed -n 's|^// uses ||p' "$shader"); do cat "shaders/$used" >>"$text" || return 1; done
        cat "$shader" >>"$text"
        echo "$shader"
        if command -v naga >/dev/null; then naga "$text" || return 1; fi
        if command -v tint >/dev/null; then tint --format wgsl -o /dev/null "$text" || return 1; fi
    done
}

check_dependencies() {
    command -v cargo-deny >/dev/null || { echo "skipped: no cargo-deny on this machine"; return; }
    cargo deny check bans licenses sources
}

client_tests() {
    EXPLAIND_BIN=target/release/explaind EXPLAIND_TEST_DEVICE=$2 \
        "target/venv-$1/bin/python" -m pytest -q "tests/clients/$1"
}

summary() {
    awk '
        /^test result:/ { passed += $4; failed += $6 }
        /^[0-9]+ (passed|failed|error).* in [0-9.]+s/ {
            for (i = 1; i < NF; i++) {
                if ($(i+1) ~ /^passed/) passed += $i
                if ($(i+1) ~ /^(failed|error)/) failed += $i
            }
        }
        END { printf "%d passed, %d failed\n", passed, failed }' "$log"
}

if [ "$mode" = all ]; then
    step "install packages" install_packages
    # The software driver alone, so that other drivers of the machine do not mix in; a test run on a real GPU sets both.
    for driver in /usr/share/vulkan/icd.d/lvp_icd.*json; do
        export VK_DRIVER_FILES=${VK_DRIVER_FILES:-$driver}
    done
    export EXPLAIND_REQUIRE_GPU=${EXPLAIND_REQUIRE_GPU:-any}
    step "install boto3" install_python boto3
    step "install xgboost and shap" install_python reference
    step "install multi-model-server" install_python multi_model_server
    step "install mlflow" install_python mlflow
    step "install scikit-learn, lightgbm and onnx" install_python loaders
    step "install version 2 of the SageMaker SDK" install_python sagemaker_v2
    step "install version 3 of the SageMaker SDK" install_python sagemaker_v3
    step "install the AWS CLI" install_python aws_cli
    step "install spaCy" install_python text_units
    step "fetch texts" target/venv-text_units/bin/python tests/clients/texts.py
fi
export INSTA_UPDATE=no
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$PWD/target}

step "format" cargo fmt --check
step "lints" cargo clippy --quiet --all-targets -- -D warnings
step "shaders" check_shaders
step "dependencies" check_dependencies
step "unit tests" cargo test --quiet --lib
step "build" cargo build --quiet --release
step "house rules, corpus, API, conformance" \
    cargo test --quiet --release --test tidy --test fuzz --test api --test conformance --no-fail-fast

if [ "$mode" = all ]; then
    step "boto3 on the CPU path" client_tests boto3 cpu
    step "boto3 on the GPU path" client_tests boto3 gpu
    step "xgboost and shap" client_tests reference cpu
    step "multi-model-server" client_tests multi_model_server cpu
    step "mlflow" client_tests mlflow cpu
    step "model files of their own libraries" client_tests loaders cpu
    step "version 2 of the SageMaker SDK" client_tests sagemaker_v2 cpu
    step "version 3 of the SageMaker SDK" client_tests sagemaker_v3 cpu
    step "AWS CLI" client_tests aws_cli cpu
    step "units of texts as spaCy cuts them" client_tests text_units cpu
fi

if [ ${#failed_steps[@]} -gt 0 ]; then
    printf '\nfailed: %s\n' "${failed_steps[@]}"
    summary
    exit 1
fi
printf '\n'
summary
