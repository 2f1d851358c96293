/* What this host can do on the PUs of a job's ranks, from a cache or by a probe:
 * XDG_CACHE_HOME/gridmill/peak/HOST-N.txt, of N PUs. docs/design/receipt.md says when it
 * is probed. */
#ifndef RUNNER_CEILING_H
#define RUNNER_CEILING_H

#include "base/idset.h"
#include "kernels/op/peak.h"

/* $XDG_CACHE_HOME/gridmill/peak, else $HOME/.cache/gridmill/peak; yours to free. NULL:
 * there is no place. */
char *ceiling_folder(void);
/* What the figures depend on: processor, PUs, build, instructions; lines of KEY=VALUE,
 * yours to free. */
char *ceiling_key(unsigned n_cpus);

/* A probe that others disturbed finds too little. So the first CEILING_PROBES jobs that
 * may probe do, and the most that was found counts. */
#define CEILING_PROBES 3u

struct ceiling {
    struct peak_rates rates;
    unsigned probes; /* that they are the best of */
};

/* 0, or -ENOENT: no file; -ESTALE: it is of another machine or build, or damaged. */
int ceiling_read(const char *file, const char *key, struct ceiling *ret);
/* The file is there whole or not at all. */
int ceiling_write(const char *file,
                  const char *key,
                  const struct ceiling *c,
                  struct gm_error *err);

/* From the cache; where it has not enough, and `may_probe`, by a probe, which is kept.
 * -ENODATA: neither. */
int ceiling_find(const char *host,
                 const struct idset *cpus,
                 bool may_probe,
                 struct peak_rates *ret,
                 struct gm_error *err);

#endif
