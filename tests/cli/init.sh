# gridmill init: every kernel's starter names what is to be filled in, passes the check once it is,
# and runs on real data; a line that is commented out may be made live as it stands.
. "$(dirname "$0")/lib.sh"
data=$EXAMPLES/data/digits.csv.gz

starter_of() # KERNEL: how its blanks are filled with real data, one PATH=VALUE a line
{
    case $1 in
        mlp.train) printf '%s\n' "args.data=$data" 'args.layers=[64, 8, 10]' args.epochs=1 ;;
        mlp.infer) printf '%s\n' args.model=model.safetensors "shards.of=$data" shards.rows=900 ;;
        lm.train) printf '%s\n' "args.data=$EXAMPLES/data/sonnets.txt" args.steps=1 args.batch=1 \
            args.layers=1 args.dim=16 args.sample-tokens=0 ;;
        lm.generate) printf '%s\n' args.model=lm.safetensors args.max-tokens=4 \
            "shards={of: $EXAMPLES/data/prompts.txt, lines: 2}" ;;
        lm.score) printf '%s\n' args.model=lm.safetensors \
            "shards={of: $EXAMPLES/data/prompts.txt, lines: 2}" ;;
        gemm) printf '%s\n' args.n=32 args.repeat=2 ;;
        stream) printf '%s\n' args.mib=1 args.repeat=1 ;;
        latency) printf '%s\n' ranks=2 group=2 oversubscribe=true 'args.sizes=[8]' args.repeat=4 ;;
        sleep) printf '%s\n' args.seconds=0 ;;
        noop) printf '%s\n' args.width=8 ;;
        *) fail "kernel $1: say here how its starter is filled in" ;;
    esac
}

blanks() # of what --json says in `out`
{
    "$PYTHON" -c 'import json, sys; print(*json.load(sys.stdin)["to_fill"])' <out
}

# Makes every line live that is commented out, but those of which only the user knows the value.
all_live() # FILE
{
    sed -E '/^name:/,$ { /FILL-ME/! s/^( *)# ([a-z0-9-]+: )/\1\2/ }' "$1"
}

expect 0 "$GRIDMILL" kernels --json
kernels=$("$PYTHON" -c 'import json, sys; print(*[k["name"] for k in json.load(sys.stdin)["kernels"]])' <out)
[ "$(wc -w <<<"$kernels")" -ge 4 ] || fail "only the kernels $kernels"

expect 0 "$GRIDMILL" init
for kernel in $kernels command; do
    says "^  $kernel  "
done

for kernel in $kernels; do
    # as it comes: the check names what is missing, and nothing else is wrong
    expect 0 "$GRIDMILL" init "$kernel"
    cp out unfilled.yaml
    says "^kernel: $kernel\$"
    for param in $("$GRIDMILL" kernels "$kernel" --json |
        "$PYTHON" -c 'import json, sys; print(*[p["name"] for p in json.load(sys.stdin)["params"]])'); do
        says "^  (# )?$param: "
    done
    [ "$(awk '{ if (length > most) most = length } END { print most }' out)" -le 88 ] || fail "wide"
    expect 0 "$GRIDMILL" init "$kernel" --json
    to_fill=$(blanks)
    if [ -n "$to_fill" ]; then
        expect 2 "$GRIDMILL" check unfilled.yaml
        for blank in $to_fill; do
            says "unfilled\.yaml:[0-9]+:[0-9]+: $blank(\.of)?: .*"
        done
        [ "$(cat out err | grep -c '^unfilled')" -eq "$(wc -w <<<"$to_fill")" ] ||
            fail "$kernel: more is wrong than what is to be filled in"
    fi

    # filled in
    mapfile -t values < <(starter_of "$kernel")
    expect 0 "$GRIDMILL" init "$kernel" "${values[@]}" --json
    [ -z "$(blanks)" ] || fail "$kernel: still to be filled in: $(blanks)"
    expect 0 "$GRIDMILL" init "$kernel" "${values[@]}" -o "$kernel.yaml"
    says "gridmill run $kernel.yaml"
    expect 0 "$GRIDMILL" check "$kernel.yaml"
    all_live "$kernel.yaml" >live.yaml
    cmp -s "$kernel.yaml" live.yaml && fail "nothing was commented out"
    expect 0 "$GRIDMILL" check live.yaml
    expect 0 "$GRIDMILL" run -q "$kernel.yaml"
    [ -s "${kernel//./-}.h5" ] || fail "$kernel: no results"
    if [ "$kernel" = mlp.train ]; then
        h5 'model = f["/stages/main/outputs/model"]
open("model.safetensors", "wb").write(bytes(model["data"][...]))' mlp-train.h5
    fi
    if [ "$kernel" = lm.train ]; then
        h5 'model = f["/stages/main/outputs/model"]
open("lm.safetensors", "wb").write(bytes(model["data"][...]))' lm-train.h5
    fi
done

# a program
expect 0 "$GRIDMILL" init command -o program.yaml
expect 0 "$GRIDMILL" run -q program.yaml
expect 0 "$GRIDMILL" result show program.h5
says 'hello'
expect 0 "$GRIDMILL" init command 'command=[echo, "${word}"]' 'matrix.word=[a, no, "1: x"]' env.A=1
cp out words.yaml
says '^matrix: \{word: \[a, no, "1: x"\]\}'
expect 0 "$GRIDMILL" check words.yaml
says '3 tasks'

# nothing is overwritten unasked
echo mine >mine.yaml
expect 2 "$GRIDMILL" init gemm -o mine.yaml
says 'mine\.yaml: .*--force'
[ "$(cat mine.yaml)" = mine ] || fail "overwritten"
expect 0 "$GRIDMILL" init gemm -o mine.yaml --force
expect 0 "$GRIDMILL" check mine.yaml
expect 2 "$GRIDMILL" init gemm -o none/gemm.yaml
says 'none/gemm\.yaml.*No such file'

# what is wrong is told with what to do
expect 2 "$GRIDMILL" init gemn
says 'did you mean gemm'
expect 2 "$GRIDMILL" init gemm n=5
says 'n: .*args\.n=VALUE'
expect 2 "$GRIDMILL" init gemm args.repaet=5
says "args\.repaet: .*'repeat'"
expect 2 "$GRIDMILL" init gemm rank=5
says "rank: unknown key; did you mean 'ranks'"
expect 2 "$GRIDMILL" init gemm tasks.0.group=5
says 'top level'
expect 2 "$GRIDMILL" init gemm kernel=sleep
expect 2 "$GRIDMILL" init gemm five
says 'PATH=VALUE'
expect 2 "$GRIDMILL" init gemm 'args.n=['
says 'args\.n=\[: not YAML'
expect 2 "$GRIDMILL" init gemm args=5
expect 2 "$GRIDMILL" init command args.x=5
expect 2 "$GRIDMILL" init -o lone.yaml
exit 0
