/* See ceiling.h. Invariant: a file that is not whole, or whose key is not today's, is as
 * none. */
#include "ceiling.h"
#include "base/auto.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/version.h"
#include <math.h>
#include <stdlib.h>
#include <sys/utsname.h>

#define FIRST   "gridmill-peak/1\n"
#define LAST    "end\n"
#define LONGEST (64u << 10)

static const char *const names[] = {
    "f32_one", "f32", "f64_one", "f64", "read_one", "read"};

enum { N_RATES = sizeof(names) / sizeof(names[0]) };

static double *rate(struct peak_rates *r, unsigned i)
{
    double *const all[N_RATES] = {
        &r->f32_one, &r->f32, &r->f64_one, &r->f64, &r->read_one, &r->read};
    return all[i];
}

char *ceiling_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    struct str path = {0};
    if (cache != NULL && cache[0] == '/') /* a relative one does not count */
        str_printf(&path, "%s/gridmill/peak", cache);
    else if (home != NULL && home[0] == '/')
        str_printf(&path, "%s/.cache/gridmill/peak", home);
    else
        return NULL;
    return str_steal(&path);
}

/* The lines of /proc/cpuinfo that name the first processor's model. */
static void add_model(struct str *out)
{
    static const char *const keys[] = {
        "model name", "cpu family", "model\t", "stepping", "CPU implementer", "CPU part"};
    AUTO_FILE f = fopen("/proc/cpuinfo", "re");
    char line[512];
    while (f != NULL && fgets(line, sizeof(line), f) != NULL && line[0] != '\n') {
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            const char *colon = strchr(line, ':');
            if (colon == NULL || strncmp(line, keys[i], strlen(keys[i])) != 0)
                continue;
            line[strcspn(line, "\n")] = '\0';
            str_printf(out, "%s;", colon[1] == ' ' ? colon + 2 : colon + 1);
        }
    }
}

char *ceiling_key(unsigned n_cpus)
{
    struct str key = {0};
    struct utsname machine;
    str_printf(&key, "machine=%s;", uname(&machine) == 0 ? machine.machine : "");
    add_model(&key);
    str_printf(
        &key, "\ncpus=%u\nbuild=%s\nisa=%s\n", n_cpus, version_build(), peak_isa());
    return str_steal(&key);
}

int ceiling_read(const char *file, const char *key, struct ceiling *ret)
{
    AUTO_FREE(char) text = NULL;
    size_t len = 0, head = strlen(FIRST), key_len = strlen(key);
    struct ceiling c = {0};
    int read = 0;
    if (!file_exists(file))
        return -ENOENT;
    if (file_read(file, LONGEST, &text, &len, NULL) != 0 || len < head + key_len ||
        strlen(text) != len || strncmp(text, FIRST, head) != 0 ||
        strncmp(text + head, key, key_len) != 0)
        return -ESTALE;
    char *at = text + head + key_len;
    if (sscanf(at, "probes=%3u\n%n", &c.probes, &read) != 1 || read == 0 || c.probes == 0)
        return -ESTALE;
    at += read;
    for (unsigned i = 0; i < N_RATES; i++) {
        size_t n = strlen(names[i]);
        if (strncmp(at, names[i], n) != 0 || at[n] != '=')
            return -ESTALE;
        char *value = at + n + 1, *end;
        double v = strtod(value, &end);
        bool may_be_0 = i >= 4; /* no memory to read from */
        if (end == value || *end != '\n' || !isfinite(v) || v < 0 ||
            (v <= 0 && !may_be_0))
            return -ESTALE;
        *rate(&c.rates, i) = v;
        at = end + 1;
    }
    if (strcmp(at, LAST) != 0)
        return -ESTALE;
    *ret = c;
    return 0;
}

int ceiling_write(const char *file,
                  const char *key,
                  const struct ceiling *c,
                  struct gm_error *err)
{
    struct peak_rates r = c->rates;
    AUTO_FREE(char) folder = file_dirname(file);
    AUTO_STR text = {0};
    str_printf(&text, FIRST "%sprobes=%u\n", key, c->probes);
    for (unsigned i = 0; i < N_RATES; i++)
        str_printf(&text, "%s=%.9g\n", names[i], *rate(&r, i));
    str_add(&text, LAST);
    int rc = file_make_folders(folder, err);
    return rc == 0 ? file_write(file, text.text, text.len, err) : rc;
}

/* A host's name is part of a file's: what is none of a name's letters becomes '_'. */
static char *file_of(const char *folder, const char *host, unsigned n)
{
    struct str path = {0};
    str_printf(&path, "%s/", folder);
    size_t from = path.len;
    str_add(&path, host);
    for (size_t i = from; i < path.len; i++) {
        char c = path.text[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '-' || (c == '.' && i > from);
        path.text[i] = fine ? c : '_';
    }
    str_printf(&path, "-%u.txt", n);
    return str_steal(&path);
}

/* The most of what was found before and now. */
static int probe(const struct idset *cpus, struct ceiling *c, struct gm_error *err)
{
    unsigned n = idset_count(cpus), i = 0;
    struct peak_rates now;
    AUTO_FREE(int) list = xcalloc(n + 1u, sizeof(*list));
    for (int64_t id = idset_next(cpus, 0); id >= 0 && i < n;
         id = idset_next(cpus, (unsigned)id + 1))
        list[i++] = (int)id;
    int rc = peak_probe(list, n, &now, err);
    for (unsigned k = 0; rc == 0 && k < N_RATES; k++)
        *rate(&c->rates, k) = fmax(*rate(&c->rates, k), *rate(&now, k));
    c->probes += rc == 0;
    return rc;
}

int ceiling_find(const char *host,
                 const struct idset *cpus,
                 bool may_probe,
                 struct peak_rates *ret,
                 struct gm_error *err)
{
    unsigned n = idset_count(cpus);
    AUTO_FREE(char) folder = ceiling_folder();
    AUTO_FREE(char) file = folder != NULL ? file_of(folder, host, n) : NULL;
    AUTO_FREE(char) key = ceiling_key(n);
    struct ceiling c = {0};
    if (file != NULL)
        (void)ceiling_read(file, key, &c); /* or none */
    if (may_probe && n > 0 && c.probes < CEILING_PROBES) {
        int rc = probe(cpus, &c, err);
        if (rc == 0 && file != NULL)
            (void)ceiling_write(file, key, &c, NULL); /* the next job probes again */
        if (rc < 0 && c.probes == 0)
            return rc;
    }
    *ret = c.rates;
    return c.probes > 0 ? 0 : gm_fail(err, -ENODATA, "this host was not probed");
}
