# One job on two hosts: two network namespaces with a host name and a /var/tmp of their own, joined
# by a veth pair, so that MPI crosses TCP and the ranks gather two machines. Plain mpirun starts
# gridmill-runner on both; results equal those of one host. All is held by two sleeping processes
# and is gone with them; the host's own network is not touched.
. "$(dirname "$0")/../cli/lib.sh"
[ "$(id -u)" -eq 0 ] || skip "namespaces need root"
for program in unshare nsenter ip mpirun; do
    command -v "$program" >/dev/null || skip "no $program"
done
[ "$CORES" -ge 2 ] || skip "two ranks a host need two cores"

declare -A holder address
address=([gma]=192.0.2.1 [gmb]=192.0.2.2)

remove_hosts()
{
    local host
    for host in "${!holder[@]}"; do
        kill -9 "${holder[$host]}" 2>/dev/null
        wait "${holder[$host]}" 2>/dev/null
    done
}
at_end+=(remove_hosts)

on() # HOST COMMAND...
{
    local host=$1
    shift
    nsenter -t "${holder[$host]}" --net --mount --uts -- "$@"
}

make_host() # HOST
{
    local i
    mkdir "$work/var-tmp-$1"
    unshare --net --mount --uts sleep 600 &
    holder[$1]=$!
    for i in $(seq 100); do
        [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/self/ns/net)" ] &&
            [ "$(cat /proc/$!/comm)" = sleep ] && break
        sleep 0.05
    done
    on "$1" hostname "$1" &&
        on "$1" mount --bind "$work/var-tmp-$1" /var/tmp &&
        on "$1" mount --bind "$work/hosts" /etc/hosts &&
        on "$1" ip link set lo up
}

{
    echo "127.0.0.1 localhost"
    for host in gma gmb; do
        echo "${address[$host]} $host"
    done
} >hosts
for host in gma gmb; do
    make_host $host 2>err || skip "no namespaces here: $(head -n 1 err)"
done
on gma ip link add gm0 type veth peer name gm0 netns "${holder[gmb]}" 2>err ||
    skip "no veth here: $(head -n 1 err)"
for host in gma gmb; do
    on $host ip address add "${address[$host]}/24" dev gm0
    on $host ip link set gm0 up
    on $host ip route add default dev gm0 # Open MPI looks for one
done

# What mpirun starts its daemon on the other host with, in the place of ssh.
cat >remote <<END
#!/usr/bin/env bash
host=\$1
shift
case \$host in
    gma) pid=${holder[gma]} ;;
    gmb) pid=${holder[gmb]} ;;
    *) exit 1 ;;
esac
exec nsenter -t \$pid --net --mount --uts -- env TMPDIR=/var/tmp sh -c "\$*"
END
chmod +x remote

across() # MPIRUN-ARGUMENTS...
{
    on gma env TMPDIR=/var/tmp OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
        timeout 60 mpirun --mca plm rsh --mca plm_rsh_agent "$work/remote" \
        --mca oob_tcp_if_include gm0 --mca btl self,vader,tcp --mca btl_tcp_if_include gm0 \
        --mca pml ob1 "$@"
}
across -H gma:1,gmb:1 -n 2 hostname >out 2>err </dev/null ||
    skip "mpirun does not work across namespaces here: $(grep -m 1 . err)"
[ "$(sort out | tr '\n' ' ')" = "gma gmb " ] || fail "not one process a host"

job=$(example digits)
expect 0 "$GRIDMILL" run "$job" --results "$work/one.h5" -q
want=$(hash_of one.h5) || exit 1

check() # FILE RANKS BOUND
{
    [ "$(hash_of "$1")" = "$want" ] || fail "$1: another result than on one host"
    h5 "
text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
ranks = {k: [text(v) for v in f['ranks'][k][...]] for k in ('host', 'planned', 'seen')}
hosts = [text(v) for v in f['hosts']['name'][...]]
assert hosts == ['gma', 'gmb'], hosts
index = f['hosts']['topology'][...].tolist()
assert index == [0, 0], index
assert len(f['hosts']['xml']) == 1 and len(f['hosts']['digest']) == 1, 'a topology each'
n = int(sys.argv[2])
assert ranks['host'] == ['gma'] * (n // 2) + ['gmb'] * (n // 2), ranks
assert ranks['seen'] == ranks['planned'], ranks
for host in hosts: # two ranks a host do not share a core, where they were bound
    cpus = [c for h, c in zip(ranks['host'], ranks['planned']) if h == host]
    assert sys.argv[3] != 'apart' or len(set(cpus)) == n // 2, cpus" "$@"
}

# Bound by mpirun; by the runner; not at all, with more ranks than cores.
expect 0 across -H gma:2,gmb:2 -n 4 --bind-to core "$RUNNER" "$job" --results "$work/bound.h5" -q
check bound.h5 4 apart
expect 0 across -H gma:2,gmb:2 -n 4 --bind-to none "$RUNNER" "$job" --results "$work/free.h5" -q
check free.h5 4 apart
over=$((2 * (CORES + 1)))
expect 0 across -H "gma:$((over / 2)),gmb:$((over / 2))" -n $over --oversubscribe --bind-to none \
    "$RUNNER" "$job" --results "$work/over.h5" -q
check over.h5 $over shared

# Results in a folder that one host alone has: named and refused before any task.
expect 2 across -H gma:2,gmb:2 -n 4 "$RUNNER" "$job" --results /var/tmp/private.h5 -q
says 'gmb.*does not see the job folder'
[ -z "$(ls var-tmp-gma | grep private)" ] || fail "a refused job left something behind"
exit 0
