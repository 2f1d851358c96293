# An installation is whole: what it has is enough to build the example by CMake and by pkg-config,
# to run it on four ranks, and it works where it was moved to. What is wrong with a shared object is
# told in one sentence, with exit code 2.
. "$(dirname "$0")/../cli/lib.sh"
: "${GRIDMILL_CMAKE:?cmake}" "${GRIDMILL_BUILD:?the build folder}"
cp -r "$GRIDMILL_SOURCE/plugins/example" .
rm -rf example/build

# A prefix, and the tree of a package: the same files.
expect 0 "$GRIDMILL_CMAKE" --install "$GRIDMILL_BUILD" --prefix "$work/first"
DESTDIR=$work/root expect 0 "$GRIDMILL_CMAKE" --install "$GRIDMILL_BUILD" --prefix /opt/gridmill
(cd first && find . -type f | sort) >one
(cd root/opt/gridmill && find . -type f | sort) >other
diff one other >out || fail "another set of files under DESTDIR"
for file in bin/gridmill bin/gridmill-runner include/gridmill/kernel.h share/man/man1/gridmill.1 \
    share/bash-completion/completions/gridmill share/zsh/site-functions/_gridmill \
    share/gridmill/example/pi.c share/gridmill/jobspecs/hello.yaml; do
    grep -qx "./$file" one || fail "not installed: $file"
done
if grep -rIlF -e "$work" -e "$GRIDMILL_BUILD" first/include first/lib* first/share >out; then
    fail "these files know where they were made"
fi
bash -n first/share/bash-completion/completions/gridmill || fail "no completion"

# It is moved; from here on nothing else is used.
mv first moved
rm -rf root
GRIDMILL=$work/moved/bin/gridmill
RUNNER=$work/moved/bin/gridmill-runner
export PATH=$work/moved/bin:$PATH CMAKE_PREFIX_PATH=$work/moved
expect 0 "$GRIDMILL" version
(cd moved && find . -name '*.pc' -exec dirname {} \;) >pc
PKG_CONFIG_PATH=$work/moved/$(cat pc)
export PKG_CONFIG_PATH

expect 0 "$GRIDMILL_CMAKE" -S example -B example/build
expect 0 "$GRIDMILL_CMAKE" --build example/build
nm -D --defined-only example/build/pi.so | grep -v ' example_pi_kernel$' >out
[ ! -s out ] || fail "pi.so shows more than its kernel"
read -ra flags <<<"$(pkg-config --cflags gridmill) $(pkg-config --variable=plugin_flags gridmill)"
mkdir byhand
expect 0 cc -std=c17 "${flags[@]}" example/pi.c -o byhand/pi.so -lm
expect 0 c++ -std=c++17 "${flags[@]}" example/heat.cpp -o byhand/heat.so
[ "$(pkg-config --variable=kernel_abi gridmill)" = "$(sed -n 's/^#define GM_KERNEL_ABI \([0-9]*\)u$/\1/p' \
    moved/include/gridmill/kernel.h)" ] || fail "the number of the ABI"
expect 1 pkg-config --atleast-version=99 gridmill

right() # FILE
{
    h5 "
o = f['stages/pi/outputs']
darts = np.uint64(40 * 65536)
def scramble(i):
    i = i + np.uint64(0x9e3779b97f4a7c15)
    i = (i ^ (i >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
    i = (i ^ (i >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
    return i ^ (i >> np.uint64(31))
for task, seed in enumerate((1, 2, 3, 4)):
    d = scramble(scramble(np.full(1, seed, np.uint64)) ^ np.arange(darts, dtype=np.uint64))
    x, y = d >> np.uint64(32), d & np.uint64(0xffffffff)
    hits = int((x * x // np.uint64(4) + y * y // np.uint64(4) < np.uint64(1 << 62)).sum())
    assert o['hits'][task] == hits and o['pi'][task] == 4 * hits / int(darts), (seed, hits)
assert abs(o['pi'][...].mean() - np.pi) < 0.003
rod = np.zeros(640)
rod[:64] = 1
for _ in range(300):
    wide = np.concatenate([rod[:1], rod, rod[-1:]])
    rod = rod + 0.25 * ((wide[:-2] - rod) + (wide[2:] - rod))
o = f['stages/heat/outputs']
assert (o['rod'][0] == rod).all() and abs(o['heat'][0] - 64) < 1e-9, o['heat'][0]
assert o['hottest'][0] == rod.max()" "$1"
}
cd example || exit 1
expect 0 "$GRIDMILL" check job.yaml
expect 0 "$GRIDMILL" run job.yaml --oversubscribe
right example.h5
first=$(hash_of example.h5)
expect 0 "${MPIRUN[@]}" -n 4 "$RUNNER" job.yaml --force
right example.h5
cp ../byhand/*.so build/ # another compiler's flags, another number of ranks: the same bits
expect 0 "$GRIDMILL" run job.yaml --oversubscribe --force --set ranks=3
right example.h5
[ "$(hash_of example.h5)" = "$first" ] || fail "other bits by pkg-config's flags and on 3 ranks"
rm -f example.h5* example.summary.json

# What is wrong is said before anything runs.
refused() # KERNEL REGEX
{
    expect 2 "$GRIDMILL" run job.yaml --oversubscribe --set "tasks.pi.kernel=$1"
    says "tasks\[0\].kernel: .*$2"
    nothing_left "$work/example/example.h5"
}
altered() # NAME SED-SCRIPT: pi.c, changed
{
    sed "$2" pi.c >"$1.c"
    ! cmp -s pi.c "$1.c" || fail "$1: nothing to change"
    expect 0 cc "${flags[@]}" "$1.c" -o "build/$1.so" -lm
}
altered abi 's/= GM_KERNEL_ABI/= GM_KERNEL_ABI + 6/'
refused ./build/abi.so#example.pi 'example.pi speaks version 7 of the kernel ABI, this Gridmill 1'
altered large 's/= sizeof(struct gm_kernel)/= sizeof(struct gm_kernel) + 8/'
refused ./build/large.so#example.pi 'has [0-9]+ bytes, but at most [0-9]+ are known here'
altered small 's/= sizeof(struct gm_kernel)/= 120/'
refused ./build/small.so#example.pi 'has 120 bytes, at least 128 are read'
altered named 's/"example.pi"/"example.tau"/'
refused ./build/named.so#example.pi "calls itself 'example.tau', not 'example.pi'"
refused ./build/pi.so#example.heat "no symbol 'example_heat_kernel'"
refused ./pi.c#example.pi 'pi.c: is no shared object'
refused ./build#example.pi 'build: is no regular file'
refused ./build/none.so#example.pi 'none.so: No such file or directory'
: >build/empty.so
refused ./build/empty.so#example.pi 'empty.so: is no shared object'
head -c 9000 build/pi.so >build/cut.so # as an interrupted copy leaves it
refused ./build/cut.so#example.pi 'cut.so: .*is cut short'
cp "$GRIDMILL" build/program.so
refused ./build/program.so#example.pi 'program.so: '
echo 'int help_me(void) { return 0; }' >help.c
expect 0 cc -shared -fPIC help.c -o libhelp.so
sed 's/^static double now/int help_me(void);\n&/; s/(void)err;/(void)help_me();/' pi.c >needs.c
expect 0 cc "${flags[@]}" needs.c -o build/needs.so -L. -lhelp -lm
refused ./build/needs.so#example.pi 'libhelp.so: cannot open shared object file'
expect 0 cc -shared -fPIC "-I$work/moved/include" needs.c -o build/undefined.so -lm
refused ./build/undefined.so#example.pi 'undefined symbol: help_me'
expect 1 cc "${flags[@]}" needs.c -o build/early.so -lm # with the flags it fails at once
says 'help_me'
exit 0
