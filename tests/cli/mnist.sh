# mnist.yaml: trained on 8,000 images, at least 0.95 of 2,000 others are told.
. "$(dirname "$0")/lib.sh"
[ -n "${GRIDMILL_TEST_DATA-}" ] || skip "GRIDMILL_TEST_DATA is not set"
cp "$EXAMPLES/datasets/mnist.yaml" .
ln -s "$GRIDMILL_TEST_DATA"/datasets/mnist/*.gz .
expect 0 "$GRIDMILL" run mnist.yaml --oversubscribe
h5 "
found = f['stages/main/outputs/accuracy'][0]
print('test accuracy:', found)
assert found >= 0.95, found
each = f['series/main/valid_accuracy/data'][...]
assert found == each[-1] and (each * 2000 % 1 < 1e-6).all(), each" mnist.h5
