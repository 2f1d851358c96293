/* Which GPUs a rank sees, by what its launcher and its user set in its environment. A
 * GPU's name is its PCI address where the driver tells it, else the number or UUID that
 * the variable has. */
#ifndef RUNNER_VISIBLE_H
#define RUNNER_VISIBLE_H

#include "base/idset.h"
#include "base/str.h"
#include "spec/plan.h"

struct visible {
    const char *variable; /* CUDA_VISIBLE_DEVICES, ...; NULL: none is set, all are seen */
    const char *list;     /* its value; borrowed from the environment */
    bool relative;        /* Slurm set it: its numbers may count within the rank's own
                             devices (ConstrainDevices) */
};

struct visible visible_read(bool by_slurm);

/* May rank `rank` use the GPUs that the plan gave it? False: planned and seen, as one
 * sentence. */
bool visible_has(const struct visible *v,
                 const struct plan *plan,
                 unsigned rank,
                 struct str *sentence);

/* The seat's device of rank `rank`, as kernels/device names them: "cpu" where it has no
 * GPU, else its first one, by address where that is known. */
#define VISIBLE_DEVICE_ROOM 40
void visible_device(const struct visible *v,
                    const struct plan *plan,
                    const struct jobspec *spec,
                    unsigned rank,
                    char ret[VISIBLE_DEVICE_ROOM]);

/* Do ranks use GPUs that the plan does not name (a foreign launcher's binding was kept)?
 * Equal on all ranks. */
bool visible_matters(const struct plan *plan, const struct jobspec *spec);

/* What all ranks see, in their order: "" where nothing sure is known, "all" where nothing
 * is set. */
#define VISIBLE_ROOM 512
void visible_names(const struct visible *v, char ret[VISIBLE_ROOM]);
/* A lower rank of the same host that has a GPU of rank `rank`, too; -1: none. *ret_gpu,
 * in ret_gpu's room: which. */
int64_t visible_sharer(const struct plan *plan,
                       char (*names)[VISIBLE_ROOM],
                       unsigned rank,
                       char ret_gpu[64]);

#endif
