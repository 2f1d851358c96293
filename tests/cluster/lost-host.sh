# Four hosts, and the link of one is cut in the middle: the other ranks take its tasks, and what a rank
# behind the cut link commits in the meantime counts for nothing. Where the host of rank 0 is cut off and
# dead, the launch is given up, and the rest runs on the hosts that still answer. The result is that of
# one host.
#   lost-host.sh [HOST]...   gn2 by default; gn0 has rank 0 and is killed as well
. "$(dirname "$0")/lib.sh"
cluster_up 4
need_mpirun gn0 gn1 gn2 gn3
cat >job.yaml <<'END'
name: job
ranks: 4
tasks:
  - name: nap
    matrix: {x: 1-160}
    kernel: sleep
    args: {seconds: 0.1}
  - name: mark
    needs: [nap]
    matrix: {x: 1-20}
    command: [sh, -c, "echo ${x}"]
results: job.h5
END
expect 0 "$GRIDMILL" run job.yaml --oversubscribe --results "$work/one.h5" -q
want=$(hash_of one.h5) || exit 1

# All of the job's processes on this host.
kill_host() # HOST
{
    local space p
    space=$(on "$1" readlink /proc/self/ns/net)
    for p in $(grep -lsF -e "$work/job.h5.gm" -e orted /proc/[0-9]*/cmdline | cut -d/ -f3); do
        [ "$(readlink "/proc/$p/ns/net" 2>/dev/null)" = "$space" ] && kill -9 "$p"
    done
}

cut_off() # HOST
{
    local host=$1 start pid rc
    rm -rf job.h5 job.h5.gm
    "$cluster" exec head "$GRIDMILL" run "$work/job.yaml" --hosts 'gn[0-3]' --set mapping=spread \
        >out 2>err </dev/null &
    pid=$!
    for _ in $(seq 300); do
        grep -q '"launcher"' job.h5.gm/plan.json 2>/dev/null &&
            [ "$(ls job.h5.gm/shards/*/*.h5 2>/dev/null | wc -l)" -ge 4 ] && break
        sleep 0.05
    done
    sleep 1
    on head ip link set "$host" down || fail "the link of $host is not to be cut"
    [ "$host" != gn0 ] || kill_host gn0
    start=$SECONDS
    for _ in $(seq 1200); do
        kill -0 $pid 2>/dev/null || break
        sleep 0.1
    done
    kill -0 $pid 2>/dev/null && fail "$host: it still runs after 120 s"
    wait $pid
    rc=$?
    echo "$host: cut off, over after $((SECONDS - start)) s"
    on head ip link set "$host" up
    [ $rc -eq 0 ] || fail "$host: exit $rc"
    case $host in
        gn0) says 'launched again \(1 of 3\)' ;;
        *) says "rank . \($host\) is lost" ;;
    esac
    [ $((SECONDS - start)) -le 60 ] || fail "$host: it took $((SECONDS - start)) s"
    [ "$(hash_of job.h5)" = "$want" ] || fail "$host: another result"
    h5 "
status, tried = f['tasks/status'][...], f['attempts/task'][...]
assert len(status) == 180 and (status == 1).all(), status
host = [v.decode() if isinstance(v, bytes) else v for v in f['job/ranks/host'][...]]
assert (sys.argv[2] == 'gn0') == (len(set(host)) == 3), host
pairs = np.stack([tried, f['attempts/attempt'][...].astype(np.uint64)], axis=1)
assert len(np.unique(pairs, axis=0)) == len(pairs), 'an attempt is there twice'" job.h5 "$host"
    [ ! -e job.h5.gm ] || fail "the folder is left"
}

for host in "${@:-gn2}"; do
    cut_off "$host"
done
exit 0
