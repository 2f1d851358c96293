# `gridmill run` on several hosts without any scheduler: named on the command line, in a host file,
# in the jobspec; started by mpirun through its remote shell. Planned is seen on every rank, the result
# is that of one host, and whatever is wrong with a host is said with its name, within seconds.
. "$(dirname "$0")/lib.sh"
[ "$CORES" -ge 2 ] || skip "two ranks a host need two cores"
cluster_up 4
echo "nameserver 127.0.0.1" >resolv.conf # a name that nobody has is refused at once
on head mount --bind "$work/resolv.conf" /etc/resolv.conf || fail "no bind mount"

job=$(example digits)
expect 0 "$GRIDMILL" run "$job" --results "$work/one.h5" -q
want=$(hash_of one.h5) || exit 1

# FILE HOSTS: the ranks stood on these hosts, in this order, where they were planned
check()
{
    [ "$(hash_of "$1")" = "$want" ] || fail "$1: another result than on one host"
    h5 "
text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
ranks = {k: [text(v) for v in f['ranks'][k][...]] for k in ('host', 'planned', 'seen')}
assert ranks['host'] == sys.argv[2].split(), ranks
assert ranks['seen'] == ranks['planned'] and '' not in ranks['seen'], ranks
assert len(f['hosts']['xml']) == 1, 'hosts that are alike share a topology'" "$1" "$2"
}

# From a host that is none of them; from one that is; on one other alone.
expect 0 on head "$GRIDMILL" run "$job" --hosts 'gn[0-3]' --ranks 4 --set mapping=spread \
    --results "$work/four.h5" -q
check four.h5 "gn0 gn1 gn2 gn3"
printf '# ours\ngn1 slots=1\ngn0 slots = 8 max_slots=2\n' >machines
expect 0 on gn0 "$GRIDMILL" run "$job" --hostfile machines --ranks 3 --set mapping=pack \
    --results "$work/file.h5" -q
check file.h5 "gn1 gn0 gn0"
expect 0 on gn0 "$GRIDMILL" run "$job" --hosts gn2 --ranks 2 --set mapping=pack --results "$work/other.h5" -q
check other.h5 "gn2 gn2"
expect 0 on gn0 "$GRIDMILL" run "$job" --ranks 2 --set 'hosts=["gn3:1", "gn1:1"]' \
    --set mapping=pack --results "$work/key.h5" -q
check key.h5 "gn3 gn1"
# The command line is stronger than the key; slots are as many ranks as a host takes.
expect 3 on gn0 "$GRIDMILL" run "$job" --ranks 3 --set hosts=gn3 --hosts gn1:1,gn2:1 \
    --results "$work/slots.h5"

# refused WORDS ARGUMENTS...: exit 2 within seconds, the sentence has the words, nothing is left
refused()
{
    local words=$1 start=$SECONDS
    shift
    expect 2 on head "$GRIDMILL" run "$job" --results "$work/refused.h5" "$@"
    says "$words"
    [ $((SECONDS - start)) -le 20 ] || fail "took $((SECONDS - start)) s"
    nothing_left "$work/refused.h5"
    [ -z "$(find "$work" -maxdepth 1 -name '.gridmill-probe*')" ] || fail "a token is left"
    ! pgrep -f -- "$RUNNER --probe" >/dev/null || fail "a probe is left"
}
refused 'host gn9 cannot be reached' --hosts gn0,gn1,gn9
printf 'gn0\ngn1 slot=2\n' >wrong
refused "wrong:2: unknown word 'slot'" --hostfile "$work/wrong"
refused 'No such file' --hostfile "$work/nothing"
refused '\-\-hosts: .*no \] closes' --hosts 'gn[0-'
refused 'name the same thing' --hosts gn0 --hostfile "$work/machines"
refused 'slurm: this is no shell of a Slurm allocation' --hosts gn0,gn1 --launcher slurm
expect 2 on head "$GRIDMILL" run "$job" --hosts gn0,gn1 --results /var/tmp/private.h5
says 'host gn[01] does not see the folder /var/tmp'

# A host without the program, and one with another build: each in its own mount namespace.
on gn2 mount -t tmpfs none "$GRIDMILL_BIN" || fail "no tmpfs"
refused "host gn2 has no .*/gridmill-runner" --hosts gn0,gn2
on gn2 umount "$GRIDMILL_BIN"
build=$("$RUNNER" --version | grep -o '0\.[0-9.]*+[0-9a-f]*')
sed "s/${build//./\\.}/$(tr '0-9a-f' '1-9a-f0' <<<"${build#*+}" | sed "s/^/${build%%+*}+/")/g" "$RUNNER" >other
chmod +x other
[ "$(./other --version)" != "$("$RUNNER" --version)" ] || fail "the copy is no other build"
on gn1 mount --bind "$work/other" "$RUNNER" || fail "no bind mount"
refused 'host gn1 has gridmill .*, this is .*: install the same build' --hosts gn0,gn1
on gn1 umount "$RUNNER"
exit 0
