/* The set of tensors: whatever is in it has been checked against its own shape and lies
 * where its element may. */
#include "weights.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strmap.h"
#include "kernels/io/safetensors.h"
#include "weights_source.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CONFIG_MAX ((size_t)1 << 20)

struct weights_inside {
    struct arena *arena; /* names */
    struct strmap *names;
    const char *origin;
    size_t room;
    void **copies; /* of what stood unaligned */
    size_t n_copies;
    void *map;
    size_t map_len;
};

static const struct {
    enum weights_type type;
    const char *word;
    size_t bytes;
} types[] = {{WEIGHTS_F32, "F32", 4},
             {WEIGHTS_F64, "F64", 8},
             {WEIGHTS_F16, "F16", 2},
             {WEIGHTS_BF16, "BF16", 2}};

#define N_TYPES (sizeof(types) / sizeof(types[0]))

struct weights *weights_make(const char *origin)
{
    struct weights *w = xcalloc(1, sizeof(*w));
    w->inside = xcalloc(1, sizeof(*w->inside));
    w->inside->arena = arena_make();
    w->inside->names = strmap_make();
    w->inside->origin = arena_strdup(w->inside->arena, origin);
    return w;
}

void weights_free(struct weights *w)
{
    if (w == NULL)
        return;
    struct weights_inside *in = w->inside;
    for (size_t i = 0; i < in->n_copies; i++)
        free(in->copies[i]);
    free(in->copies);
    if (in->map != NULL)
        (void)munmap(in->map, in->map_len);
    strmap_free(in->names);
    arena_free(in->arena);
    free(in);
    free(w->tensors);
    free(w);
}

const char *weights_origin(const struct weights *w)
{
    return w->inside->origin;
}

/* The type by its word, or the word by its type; bytes of one element. */
static size_t settle_type(struct weights_tensor *t)
{
    for (size_t i = 0; i < N_TYPES; i++) {
        bool same = t->type == WEIGHTS_OTHER
                        ? t->word != NULL && strcmp(types[i].word, t->word) == 0
                        : t->type == types[i].type;
        if (same) {
            t->type = types[i].type;
            t->word = types[i].word;
            return types[i].bytes;
        }
    }
    return 0;
}

static bool fits(const struct weights_tensor *t)
{
    uint32_t dtype;
    uint64_t bits = t->word == NULL ? 0 : safetensors_bits(t->word, &dtype);
    if (bits == 0 || t->ndim > GM_MAX_DIMS)
        return false;
    for (uint32_t d = 0; d < t->ndim; d++) {
        if (__builtin_mul_overflow(bits, t->dims[d], &bits))
            return false;
    }
    return bits % 8 == 0 && bits / 8 == t->nbytes;
}

static int
align(struct weights_inside *in, struct weights_tensor *t, struct gm_error *err)
{
    void *copy = malloc(t->nbytes);
    if (copy == NULL)
        return gm_fail(err,
                       -ENOMEM,
                       "%s: no memory for the %zu bytes of tensor '%s'",
                       in->origin,
                       t->nbytes,
                       t->name);
    memcpy(copy, t->data, t->nbytes);
    in->copies = xrealloc(in->copies, in->n_copies + 1, sizeof(*in->copies));
    in->copies[in->n_copies++] = copy;
    t->data = copy;
    return 0;
}

int weights_add(struct weights *w, const struct weights_tensor *t, struct gm_error *err)
{
    struct weights_inside *in = w->inside;
    struct weights_tensor own = *t;
    size_t element = settle_type(&own), at = w->n_tensors;
    if (!fits(&own))
        return gm_fail(err,
                       -EINVAL,
                       "%s: tensor '%s' has %zu bytes, which is not what its type and "
                       "shape say",
                       in->origin,
                       t->name,
                       t->nbytes);
    own.name = arena_strdup(in->arena, t->name);
    if (own.type == WEIGHTS_OTHER)
        own.word = arena_strdup(in->arena, t->word);
    if (!strmap_add(in->names, own.name, &at))
        return gm_fail(
            err, -EINVAL, "%s: tensor '%s' is there twice", in->origin, t->name);
    if (element > 0 && t->nbytes > 0 && (uintptr_t)t->data % element != 0) {
        int rc = align(in, &own, err);
        if (rc != 0)
            return rc;
    }
    if (w->n_tensors == in->room) {
        in->room = in->room == 0 ? 64 : 2 * in->room;
        w->tensors = xrealloc(w->tensors, in->room, sizeof(*w->tensors));
    }
    w->tensors[w->n_tensors++] = own;
    return 0;
}

void weights_set_tokenizer(struct weights *w,
                           const char *tokenizer,
                           const char *vocabulary)
{
    w->tokenizer = arena_strdup(w->inside->arena, tokenizer);
    w->vocabulary = arena_strdup(w->inside->arena, vocabulary);
}

const struct weights_tensor *weights_find(const struct weights *w, const char *name)
{
    size_t at;
    char longer[256];
    if (strmap_get(w->inside->names, name, &at))
        return &w->tensors[at];
    int n = snprintf(longer, sizeof(longer), "transformer.%s", name);
    if (n < 0 || (size_t)n >= sizeof(longer) ||
        !strmap_get(w->inside->names, longer, &at))
        return NULL;
    return &w->tensors[at];
}

/* IEEE binary16; every value of it is a float. */
static float from_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000U) << 16, exponent = h >> 10 & 0x1FU,
             rest = h & 0x3FFU, bits;
    float v;
    if (exponent == 0) {
        v = (float)rest * 0x1p-24F;
        return sign != 0 ? -v : v;
    }
    bits =
        exponent == 31 ? 0x7F800000U | rest << 13 : (exponent + 112) << 23 | rest << 13;
    bits |= sign;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static void convert(const struct weights_tensor *t, size_t n, float *ret)
{
    const uint16_t *half = t->data;
    const double *wide = t->data;
    for (size_t i = 0; i < n; i++) {
        if (t->type == WEIGHTS_F64) {
            ret[i] = (float)wide[i];
        } else if (t->type == WEIGHTS_F16) {
            ret[i] = from_half(half[i]);
        } else {
            uint32_t bits = (uint32_t)half[i] << 16;
            memcpy(&ret[i], &bits, sizeof(bits));
        }
    }
}

int weights_take(const struct weights *w,
                 const char *name,
                 uint32_t ndim,
                 const size_t *dims,
                 float *ret,
                 struct gm_error *err)
{
    const struct weights_tensor *t = weights_find(w, name);
    if (t == NULL)
        return gm_fail(err, -EINVAL, "%s: has no tensor '%s'", w->inside->origin, name);
    bool same = t->type != WEIGHTS_OTHER && t->ndim == ndim;
    size_t n = 1;
    AUTO_STR want = {0};
    for (uint32_t d = 0; d < ndim; d++) {
        same = same && t->dims[d] == dims[d];
        n *= dims[d];
        str_printf(&want, d == 0 ? "%zu" : ", %zu", dims[d]);
    }
    if (!same)
        return gm_fail(err,
                       -EINVAL,
                       "%s: tensor '%s' is not [%s] of F32, F64, F16 or BF16",
                       w->inside->origin,
                       name,
                       str_text(&want));
    if (t->type == WEIGHTS_F32)
        memcpy(ret, t->data, n * sizeof(*ret));
    else
        convert(t, n, ret);
    return 0;
}

int weights_parse(const char *origin,
                  const void *bytes,
                  size_t len,
                  struct weights **ret,
                  struct gm_error *err)
{
    AUTO(weights) w = weights_make(origin);
    int rc = weights_is_safetensors(bytes, len)
                 ? weights_read_safetensors(origin, bytes, len, w, err)
                 : weights_read_llama2c(origin, bytes, len, w, err);
    if (rc == 0)
        *ret = steal(&w);
    return rc;
}

/* The config of a file that does not hold it: config.json beside it, if there is one. */
static int config_beside(const char *path, struct weights *w, struct gm_error *err)
{
    AUTO_FREE(char) folder = file_dirname(path);
    AUTO_FREE(char) text = NULL;
    AUTO_STR name = {0};
    size_t len = 0;
    str_printf(&name, "%s/config.json", folder);
    if (!file_exists(name.text))
        return 0;
    int rc = file_read(name.text, CONFIG_MAX, &text, &len, err);
    return rc == 0 ? weights_config_parse(name.text, text, len, &w->config, err) : rc;
}

static int map(const char *path, void **ret, size_t *ret_len, struct gm_error *err)
{
    struct stat st;
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return gm_fail(err, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return gm_fail(err,
                       -EINVAL,
                       "%s: is %s",
                       path,
                       S_ISREG(st.st_mode) ? "empty" : "not a regular file");
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return gm_fail(err, -errno, "%s: %s", path, strerror(errno));
    *ret = at;
    *ret_len = (size_t)st.st_size;
    return 0;
}

int weights_open(const char *path, struct weights **ret, struct gm_error *err)
{
    AUTO(weights) w = NULL;
    void *bytes = NULL;
    size_t len = 0;
    int rc = map(path, &bytes, &len, err);
    if (rc != 0)
        return rc;
    rc = weights_parse(path, bytes, len, &w, err);
    if (rc != 0) {
        (void)munmap(bytes, len);
        return rc;
    }
    w->inside->map = bytes;
    w->inside->map_len = len;
    if (w->config.arch == WEIGHTS_NO_ARCH)
        rc = config_beside(path, w, err);
    if (rc == 0)
        *ret = steal(&w);
    return rc;
}
