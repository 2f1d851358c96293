# Every wrong file is answered with the place, the cause and the right exit code; nothing is left
# behind and no rank is started.
. "$(dirname "$0")/lib.sh"

mkdir in
digits() # ROWS: the first rows of the digits
{
    gzip -dc "$EXAMPLES/data/digits.csv.gz" | head -n "$1"
}
digits 100 >in/good.csv
digits 100 | sed '7s/,[0-9]*$//' >in/ragged.csv
digits 100 | sed '9s/^0,/nan,/' >in/nan.csv
digits 100 | sed '5s/^0,/zero,/' >in/words.csv
digits 100 | sed '3s/[0-9]*$/12/' >in/label.csv
head -c 20000 "$EXAMPLES/data/digits.csv.gz" >in/short.csv.gz
: >in/empty.csv

n=0
# CODE REGEX ARGS...: `gridmill run` of the YAML on standard input
refused()
{
    local code=$1 want=$2
    shift 2
    n=$((n + 1))
    cat >"in/job.yaml"
    ls -A in >before
    expect "$code" "$GRIDMILL" run in/job.yaml "$@"
    says "$want"
    says_not "mpirun|Traceback|Assertion|Segmentation"
    ls -A in >after
    cmp -s before after || fail "left behind: $(diff before after)"
}

train() # DATA [MORE-ARGUMENT-LINES]
{
    printf 'kernel: mlp.train\nargs:\n  data: %s\n  layers: [64, 8, 10]\n' "$1"
    printf '  split-seed: 1\n  epochs: 1\n'
    printf '%s\n' "${2-}"
}

# The file itself.
expect 2 "$GRIDMILL" run in/none.yaml
says "in/none\.yaml: .*No such file"
refused 2 "in/job\.yaml:2:" <<<$'tasks: [\nkernel: }'
refused 2 "in/job\.yaml" <<<""
refused 2 "job\.yaml:1:1" <<<"just words"

# Keys and types: the place, and the nearest known word.
refused 2 'job\.yaml:2:1: .*kernl.*kernel' <<<$'name: x\nkernl: sleep'
refused 2 'job\.yaml:1:8: .*ranks' <<<$'ranks: many\nkernel: sleep\nargs: {seconds: 0}'
refused 2 'job\.yaml:1:8: .*ranks.*1 or more' <<<$'ranks: 0\nkernel: sleep\nargs: {seconds: 0}'
refused 2 'job\.yaml:1:9: .*unknown kernel.*slep.*sleep' <<<$'kernel: slep\nargs: {seconds: 0}'
refused 2 'job\.yaml:2:17: .*seconds' <<<$'kernel: sleep\nargs: {seconds: -1}'
refused 2 'job\.yaml:2:17: .*seconds' <<<$'kernel: sleep\nargs: {seconds: soon}'
refused 2 'job\.yaml:2:8: .*second.*seconds' <<<$'kernel: sleep\nargs: {second: 1}'

# All mistakes of a file in one pass.
refused 2 'job\.yaml:1:' <<<$'ranks: 0\nkernl: sleep\nmapping: sideways'
says 'job\.yaml:2:'
says 'job\.yaml:3:'

# References.
refused 2 'job\.yaml:[0-9]+:[0-9]+: .*modell.*model' <<END
tasks:
$(train good.csv | sed '1s/^/  - name: train\n    /; 2,$s/^/    /')
  - {name: s, kernel: mlp.infer, args: {data: good.csv, model: "\${train.modell}"}}
END
refused 2 'job\.yaml:[0-9]+:[0-9]+: .*6.*@max:' <<END
tasks:
$(train good.csv '  init-seed: "${seed}"
matrix: {seed: 1-6}' | sed '1s/^/  - name: train\n    /; 2,$s/^/    /')
  - {name: s, kernel: mlp.infer, args: {data: good.csv, model: "\${train.model}"}}
END
refused 2 'job\.yaml:2:.*wait for each other.*a -> c -> b -> a' <<'END'
tasks:
  - {name: a, needs: [c], kernel: sleep, args: {seconds: 0}}
  - {name: b, needs: [a], kernel: sleep, args: {seconds: 0}}
  - {name: c, needs: [b], kernel: sleep, args: {seconds: 0}}
END

# Data, found wrong before any rank starts: the file and what is wrong with it.
refused 2 'none\.csv: .*No such file' < <(train none.csv)
refused 2 'short\.csv\.gz' < <(train short.csv.gz)
refused 2 'ragged\.csv: line 7' < <(train ragged.csv)
refused 2 'nan\.csv: line 9' < <(train nan.csv)
refused 2 'words\.csv: line 5' < <(train words.csv)
refused 2 'empty\.csv' < <(train empty.csv)
refused 2 'none\.csv' <<'END'
kernel: sleep
shards: {of: none.csv, rows: 10}
args: {seconds: 0}
END

# The machine.
refused 3 "$((CORES + 1)).*oversubscribe" --ranks "$((CORES + 1))" <<<$'kernel: sleep\nargs: {seconds: 0}'
refused 3 'cores' <<<$'per-rank: {cores: 100000}\nkernel: sleep\nargs: {seconds: 0}'

# Where the results go.
refused 2 'nowhere.*(No such|not there)' --results in/nowhere/x.h5 <<<$'kernel: sleep\nargs: {seconds: 0}'
refused 2 '/proc/x\.h5' --results /proc/x.h5 <<<$'kernel: sleep\nargs: {seconds: 0}'
echo precious >in/there.h5
refused 2 'there\.h5.*--force' --results in/there.h5 <<<$'kernel: sleep\nargs: {seconds: 0}'
[ "$(cat in/there.h5)" = precious ] || fail "the existing file was touched"

# What only the ranks can see: a label outside the layers fails its task, with the row.
cat >in/label.yaml < <(train label.csv)
expect 1 "$GRIDMILL" run in/label.yaml --ranks 1
says 'label'
says '12'
says '(row|line|csv:) *[0-9]+'

echo "$n files refused"
