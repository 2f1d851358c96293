# Tasks that are saved as they go: a stop saves them and a resume goes on, on other ranks too; so does the
# other rank when one is lost. A checkpoint that is damaged, or cannot be written, costs time and no bit.
. "$(dirname "$0")/lib.sh"
ln -s "$EXAMPLES/data/digits.csv.gz" digits.csv.gz

job() # GROUP EPOCHS [LAYERS [FILE]]: so many, or as many more as it takes to train for a second
{
    local ms=0 epochs=$(($2 / 2))
    while [ "$ms" -lt 1000 ]; do
        epochs=$((2 * epochs))
        train "$1" $epochs "${@:3}"
        ms=$("$PYTHON" -c '
import h5py
t = h5py.File("clean.h5")["tasks"]
print(int(1000 * (t["end"][0] - t["start"][0])))') || exit 1
    done
    rm clean.h5
}

train()
{
    cat >job.yaml <<END
ranks: 2
oversubscribe: true
group: $1
kernel: mlp.train
checkpoint: 100ms
args: {data: digits.csv.gz, scale: 0.0625, layers: ${3:-[64, 48, 10]}, lr: 0.01, epochs: $2, optimizer: adamw}
results: ${4:-job.h5}
END
    rm -rf job.h5*
    expect 0 "$GRIDMILL" run job.yaml -q --force --results clean.h5
    want=$(hash_of clean.h5) || exit 1
}

wait_saved() # [FOLDER]
{
    local i
    for i in $(seq 600); do
        ls "${1:-job.h5.gm}"/checkpoints/[0-9]* >/dev/null 2>&1 && return
        sleep 0.02
    done
    fail "nothing was saved"
}

drained() # a job that was stopped by SIGUSR1 after a checkpoint
{
    rm -rf job.h5 job.h5.gm
    "${MPIRUN[@]}" -n 2 "$RUNNER" job.yaml -q >out 2>err &
    local pid=$! rc
    wait_saved
    kill -USR1 $pid
    wait $pid
    rc=$?
    [ $rc -eq 5 ] || fail "exit $rc instead of 5"
    [ "$(ls job.h5.gm/checkpoints)" = "0-0" ] || fail "there: $(ls -A job.h5.gm/checkpoints)"
}

same() # REST: steps that were not taken are 0, or REST ("> 0")
{
    [ ! -e job.h5.gm ] || fail "the folder is left"
    [ "$(hash_of job.h5)" = "$want" ] || fail "another result than that of a clean run"
    h5 "
a = f['attempts']
c = a['continued'][...][a['status'][...] == 1]
assert len(c) == 1 and c[0] $1, c" job.h5
}

# Asked to stop, and on again: by gridmill, and by mpirun, on other ranks.
job all 120
drained
expect 0 "$GRIDMILL" resume job.h5 -q --ranks 3
same '> 0'
drained
expect 0 "${MPIRUN[@]}" -n 1 "$RUNNER" --resume job.h5 -q
same '> 0'
job 1 700
drained
cp -r job.h5.gm kept
expect 0 "$GRIDMILL" resume job.h5 -q
same '> 0'

# What is damaged, or of another task, is told in one sentence, and not used.
for damage in bit task; do
    rm -rf job.h5 job.h5.gm
    cp -r kept job.h5.gm
    "$PYTHON" -c '
import random, sys
b = bytearray(open(sys.argv[1], "rb").read())
seed = random.SystemRandom().randrange(1 << 31)
print("seed:", seed)
b[random.Random(seed).randrange(len(b))] ^= 1 << seed % 8
open(sys.argv[1], "wb").write(b)' job.h5.gm/checkpoints/0-0
    if [ $damage = task ]; then # a whole file, of a task with other parameters
        sed -i 's/lr: 0.01/lr: 0.02/' job.yaml
        rm -rf job.h5.gm
        drained
        cp job.h5.gm/checkpoints/0-0 other
        sed -i 's/lr: 0.02/lr: 0.01/' job.yaml
        rm -rf job.h5.gm
        cp -r kept job.h5.gm
        cp other job.h5.gm/checkpoints/0-0
    fi
    expect 0 "$GRIDMILL" resume job.h5
    [ "$(grep -c 'main\[0\]: its checkpoint is not used, it starts anew' err)" -eq 1 ] || fail "$damage: not told once"
    same '== 0'
done

# A rank that is killed, or stopped for so long that it is given up: the other one goes on with its task.
cat >nap.yaml <<END
ranks: 2
oversubscribe: true
tasks:
  - {name: first, matrix: {x: 1-2}, kernel: sleep, checkpoint: 100ms, args: {seconds: 2}}
results: job.h5
END
for signal in KILL STOP; do
    rm -rf job.h5 job.h5.gm
    "$GRIDMILL" run nap.yaml >out 2>err &
    run=$!
    wait_saved
    sleep 0.7
    rank=$(pgrep -f "gridmill-runner.*$work" | while read -r p; do
        tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -qx 'OMPI_COMM_WORLD_RANK=1' && echo "$p"
    done | head -n 1)
    [ -n "$rank" ] || fail "no rank 1"
    kill -$signal "$rank"
    if [ $signal = STOP ]; then
        for _ in $(seq 300); do
            grep -q 'rank 1 .*is lost' err && break
            sleep 0.02
        done
        kill -CONT "$rank"
    fi
    wait $run || fail "$signal: exit $?"
    h5 "
a = f['attempts']
done = a['status'][...] == 1
assert done.sum() == 2 and (f['tasks/status'][...] == 1).all()
assert a['continued'][...][done].max() > 0, a['continued'][...]
slept = f['stages/first/outputs/slept'][...]
assert (slept >= 2).all() and (slept < 4).all(), slept" job.h5
    [ ! -e job.h5.gm ] || fail "$signal: the folder is left"
done

# The disk is full while a task is saved: that is told once, and the task goes on.
mkdir small
mount -t tmpfs -o size=8m none small 2>/dev/null || skip "the rest: no right to mount a tmpfs"
at_end+=("umount $work/small")
job 1 80 '[64, 512, 10]' small/job.h5
"$GRIDMILL" run job.yaml -q >out 2>err &
run=$!
wait_saved small/job.h5.gm
cat /dev/zero >small/ballast 2>/dev/null
for _ in $(seq 300); do
    grep -q 'could not be saved' err && break
    sleep 0.02
done
rm small/ballast
wait $run || fail "exit $? on a disk that was full for a while"
[ "$(grep -c 'main\[0\]: a checkpoint could not be saved, the task goes on: .*No space left on device' err)" -eq 1 ] ||
    fail "not told once"
[ "$(hash_of small/job.h5)" = "$want" ] || fail "full disk: another result"

# Who can be saved, and what is refused.
expect 0 "$GRIDMILL" kernels sleep
says 'state +kept where the stage has checkpoint'
expect 0 "$GRIDMILL" kernels gemm
says 'state +not kept'
expect 2 "$GRIDMILL" check --set checkpoint=never job.yaml
says 'checkpoint: '
exit 0
