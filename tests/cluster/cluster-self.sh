# cluster.sh itself: up in time and refused twice, hosts with names and temporary folders of their own
# that reach each other, down twice, and gone with the process that it was tied to, however that ends.
. "$(dirname "$0")/lib.sh"
within() # SECONDS COMMAND...
{
    local i
    for i in $(seq $((10 * $1))); do
        "${@:2}" && return
        sleep 0.1
    done
    fail "not within $1 s: ${*:2}"
}
is_down()
{
    ! "$cluster" status >/dev/null && [ ! -e "$GRIDMILL_CLUSTER" ]
}
net_of() # HOST
{
    on "$1" readlink /proc/self/ns/net
}

began=$SECONDS
cluster_up 4
[ $((SECONDS - began)) -le 15 ] || fail "up took more than 15 s"
expect 0 "$cluster" status
says 'gn3 +192\.0\.2\.4 +[0-9]+'
expect 0 "$cluster" up 4
says 'is up already'
expect 2 "$cluster" up 3
says 'is up already, as another'
expect 2 on gn4 true
says "no host 'gn4': there are head gn0 gn1 gn2 gn3"
expect 0 on gn2 hostname
says '^gn2$'
expect 7 on gn2 sh -c 'exit 7'
on gn1 touch /var/tmp/mine /dev/shm/mine || fail "no folders of its own"
[ -z "$(on gn2 ls /var/tmp /dev/shm | grep mine)" ] && [ ! -e /var/tmp/mine ] || fail "not its own folders"
on gn1 test "$PWD" -ef . || fail "not in the present folder"
[ "$(net_of gn0)" != "$(net_of gn1)" ] && [ "$(net_of gn0)" != "$(readlink /proc/self/ns/net)" ] ||
    fail "no network of its own"
# Bytes go from host to host by name.
on gn3 "$PYTHON" -c '
import socket
s = socket.create_server(("gn3", 7000))
s.settimeout(20)
c, peer = s.accept()
print(peer[0], c.recv(9).decode())' >heard &
within 10 on gn0 "$PYTHON" -c '
import socket
socket.create_connection(("gn3", 7000)).sendall(b"hello")' 2>/dev/null
wait $!
[ "$(cat heard)" = "192.0.2.1 hello" ] || fail "heard: $(cat heard)"
eval "$("$cluster" env)"
[ "$(sh -c '$OMPI_MCA_plm_rsh_agent gn1 hostname')" = gn1 ] || fail "the agent reaches no host"
unset "${!OMPI_@}"
# What runs on a host ends with it, however deaf it is.
on gn2 sh -c 'trap "" TERM; echo $$ >deaf; while :; do sleep 1; done' &
disown
within 5 test -s deaf
expect 0 "$cluster" down
is_down || fail "not down"
[ ! -e "/proc/$(cat deaf)/ns" ] || ! readlink "/proc/$(cat deaf)/ns/net" || fail "a process is left"
expect 0 "$cluster" down
expect 1 "$cluster" status
expect 2 on gn0 true
says 'no cluster in'

# A name that nobody has is refused at once: no server is asked.
"$cluster" up 1 --with $$ >out || fail "no cluster of one"
expect 2 timeout 3 "$cluster" exec head getent hosts gn9
# Who watched over a cluster that was taken down does not watch over the next.
watch=$(awk '$1 == "watch" { print $2 }' "$GRIDMILL_CLUSTER/pids")
expect 0 "$cluster" down
within 5 test ! -e "/proc/$watch/ns/net"

# A killed owner, and a killed holder.
sleep 100 &
"$cluster" up 2 --with $! >out 2>err || fail "no second cluster"
disown
kill -9 $!
within 10 is_down
"$cluster" up 1 >out || fail "no third cluster"
kill -9 "$(awk '$1 == "head" { print $2 }' "$GRIDMILL_CLUSTER/pids")"
expect 1 "$cluster" status
expect 0 "$cluster" up 2
expect 0 "$cluster" down

for words in "up 0" "up x" "up" "up 1 --gpus" "up 1 --nothing" "down-and-out" ""; do
    expect 2 "$cluster" $words
    [ -s err ] || fail "no word of '$words'"
done
GRIDMILL_CLUSTER=/var/tmp/gridmill-x expect 2 "$cluster" up 1
says 'a host would not see this folder'
exit 0
