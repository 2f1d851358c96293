# A kernel whose ranks have state of their own: a set of files counts whole or not at all, and an older one
# goes when the next is there.
. "$(dirname "$0")/lib.sh"
cp "$GRIDMILL_PLUGINS/each.so" . || fail "no each.so"
cat >job.yaml <<'END'
ranks: 2
oversubscribe: true
group: all
kernel: ./each.so#each
checkpoint: 50ms
args: {steps: 700}
results: job.h5
END
expect 0 "$GRIDMILL" run job.yaml -q
want=$(hash_of job.h5) || exit 1

# interrupted SIGNAL: to all ranks, or (USR1) to mpirun; one set of two files is left
interrupted()
{
    rm -rf job.h5 job.h5.gm
    "${MPIRUN[@]}" -n 2 "$RUNNER" job.yaml -q >out 2>err &
    local pid=$! i
    for i in $(seq 600); do
        ls job.h5.gm/checkpoints/0-0 >/dev/null 2>&1 && break
        sleep 0.02
    done
    sleep "0.$((RANDOM % 5))"
    if [ "$1" = USR1 ]; then
        kill -USR1 $pid
    else
        kill -KILL $(pgrep -f "^$RUNNER job.yaml -q") 2>/dev/null
    fi
    wait $pid
    [ -e job.h5.gm/checkpoints/0-0 ] || fail "$1: nothing was saved: $(ls -A job.h5.gm/checkpoints)"
}

same() # CONDITION of the steps that were not taken
{
    [ "$(hash_of job.h5)" = "$want" ] || fail "another result than that of a clean run"
    h5 "
a = f['attempts']
c = a['continued'][...][a['status'][...] == 1]
assert len(c) == 1 and c[0] $1, c
assert len(f['series/main/trace/data']) == 7" job.h5
}

for signal in USR1 KILL; do
    interrupted $signal
    if [ $signal = USR1 ]; then
        files=$(ls -A job.h5.gm/checkpoints | wc -l)
        [ "$files" -eq 2 ] || fail "not one set: $(ls -A job.h5.gm/checkpoints)"
    fi
    expect 0 "$GRIDMILL" resume job.h5 -q
    same '> 0'
done

# Another rank's file is gone, or is that of an earlier save.
interrupted USR1
cp -r job.h5.gm kept
rm job.h5.gm/checkpoints/0-0.*
expect 0 "$GRIDMILL" resume job.h5
says 'main\[0\]: its checkpoint is not used, it starts anew: .*(No such file|another rank)'
same '== 0'
interrupted USR1
old=$(ls kept/checkpoints/0-0.*)
cp "$old" "$(ls job.h5.gm/checkpoints/0-0.*)"
expect 0 "$GRIDMILL" resume job.h5
says 'main\[0\]: its checkpoint is not used, it starts anew: .*(another task or save|another save|another rank)'
same '== 0'

# The kernel goes on from two ranks alone: three begin anew, and the sentence is its own.
interrupted USR1
expect 0 "$GRIDMILL" resume job.h5 --ranks 3
says 'it starts anew: it was saved by 2 ranks'
exit 0
