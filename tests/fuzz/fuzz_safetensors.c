/* io/safetensors.h: what is read can be written, is read from that as the same, and is
 * then written as the same bytes; every tensor lies inside the input. */
#include "base/auto.h"
#include "fuzz.h"
#include "kernels/io/safetensors.h"

static void inside(const struct safetensors *st, const uint8_t *data, size_t size)
{
    size_t held = 0;
    for (size_t i = 0; i < st->n_tensors; i++) {
        const struct safetensors_tensor *t = &st->tensors[i];
        const uint8_t *at = t->data;
        FUZZ_CHECK(at >= data && t->nbytes <= (size_t)(data + size - at), "%s", t->name);
        FUZZ_CHECK(safetensors_find(st, t->name) == t, "%s", t->name);
        held += t->nbytes;
    }
    FUZZ_CHECK(held + 8 + st->header == size, "%zu of %zu", held, size);
}

static void same(const struct safetensors *a, const struct safetensors *b)
{
    FUZZ_CHECK(a->n_tensors == b->n_tensors, "%zu", b->n_tensors);
    FUZZ_CHECK(a->n_meta == b->n_meta && a->has_meta == b->has_meta, "%zu", b->n_meta);
    for (size_t i = 0; i < a->n_tensors; i++) {
        const struct safetensors_tensor *x = &a->tensors[i], *y = &b->tensors[i];
        bool one = strcmp(x->name, y->name) == 0 && strcmp(x->word, y->word) == 0 &&
                   x->ndim == y->ndim && x->nbytes == y->nbytes &&
                   memcmp(x->dims, y->dims, sizeof(x->dims)) == 0 &&
                   memcmp(x->data, y->data, x->nbytes) == 0;
        FUZZ_CHECK(one, "%s", x->name);
    }
    for (size_t i = 0; i < a->n_meta; i++)
        FUZZ_CHECK(strcmp(a->meta[i].value, b->meta[i].value) == 0, "%s", a->meta[i].key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(safetensors) st = NULL;
    AUTO(safetensors) second = NULL;
    AUTO_FREE(unsigned char) bytes = NULL;
    AUTO_FREE(unsigned char) again = NULL;
    size_t len = 0, again_len = 0;
    struct gm_error err = {0};
    int rc = safetensors_parse("input", data, size, &st, &err);
    if (rc != 0) {
        fuzz_refused(rc, -EINVAL, &err, "bytes");
        return 0;
    }
    inside(st, data, size);
    FUZZ_CHECK(safetensors_rewrite(st, &bytes, &len, &err) == 0, "%s", err.text);
    rc = safetensors_parse("written", bytes, len, &second, &err);
    FUZZ_CHECK(rc == 0, "%s", err.text);
    same(st, second);
    FUZZ_CHECK(
        safetensors_rewrite(second, &again, &again_len, &err) == 0, "%s", err.text);
    FUZZ_CHECK(again_len == len && memcmp(again, bytes, len) == 0, "%zu", again_len);
    return 0;
}
