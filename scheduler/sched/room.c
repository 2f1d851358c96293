/* See room.h. Cores and GPUs are slot.c's to count; memory, the launcher's slots, ranks a
 * node and the hosts that the job may use are counted here. Invariant: room_find passes
 * over no host whose room_on is at least n. */
#include "room.h"
#include "auto.h"
#include <string.h>

enum { SHARING = 1024 }; /* ranks a core at most */

/* A GPU's fair share of the cores around it, one at least: those of its NUMA node or, in
 * one without cores, of its host. */
static unsigned share_of_gpu(const struct topo_shape *s, unsigned gpu)
{
    unsigned i = s->gpus[gpu].node;
    while (i != 0 && (s->nodes[i].kind != GM_NUMA || s->nodes[i].n_cores == 0))
        i = s->nodes[i].parent;
    unsigned n = s->nodes[i].n_cores / s->nodes[i].n_gpus;
    return n > 0 ? n : 1;
}

/* The least that a GPU of this machine has: ranks are alike. */
static unsigned cores_near_gpu(const struct restree *tree)
{
    unsigned least = UINT32_MAX;
    for (unsigned i = 0; i < tree->n_shapes; i++) {
        for (unsigned g = 0; g < tree->shapes[i].n_gpus; g++) {
            unsigned n = share_of_gpu(&tree->shapes[i], g);
            least = n < least ? n : least;
        }
    }
    return least < UINT32_MAX ? least : 1;
}

struct room_job room_job(const struct restree *tree,
                         const struct occupancy *occ,
                         const struct place_request *req)
{
    struct room_job j = {.tree = tree, .occ = occ, .req = req, .slot = auto_slot(req)};
    if (strcmp(req->mapping, "gpu-near") == 0 && req->cores == 0 && req->threads == 0) {
        uint64_t cores = (uint64_t)cores_near_gpu(tree) * j.slot.gpus;
        j.slot.cores = cores < UINT32_MAX ? (unsigned)cores : UINT32_MAX;
    }
    return j;
}

static unsigned least(uint64_t a, uint64_t b)
{
    uint64_t n = a < b ? a : b;
    return n < UINT32_MAX ? (unsigned)n : UINT32_MAX;
}

uint64_t room_ranks(const struct place_request *req)
{
    return req->ranks > 0 ? req->ranks : (uint64_t)req->nodes * req->ranks_per_node;
}

bool room_may_share(const struct room_job *j)
{
    return j->req->oversubscribe && j->slot.gpus == 0;
}

unsigned room_on(const struct room_job *j, unsigned host)
{
    const struct place_request *req = j->req;
    unsigned slots = j->tree->hosts[host].slots, n = UINT32_MAX;
    if (req->hosts != NULL && !idset_has(req->hosts, host))
        return 0;
    if (!j->share)
        n = slot_room(j->tree, j->occ, host, &j->slot);
    else
        n = least((uint64_t)occupancy_free_cores(j->occ, host, 0) * SHARING, n);
    if (req->memory > 0)
        n = least(n, occupancy_free_memory(j->occ, host, 0) / req->memory);
    if (slots > 0)
        n = least(n, slots);
    if (req->ranks_per_node > 0)
        n = least(n, req->ranks_per_node);
    if (req->nodes > 0 && n < req->ranks_per_node)
        return 0; /* exactly so many are wanted */
    return n;
}

unsigned room_most(const struct room_job *j)
{
    const struct slot_request *slot = &j->slot;
    unsigned most = 0, per_node = j->req->ranks_per_node;
    for (unsigned i = 0; i < j->tree->n_shapes; i++) {
        const struct topo_shape *s = &j->tree->shapes[i];
        unsigned n = slot->threads > 0 ? s->n_pus / slot->threads
                     : slot->cores > 0 ? s->n_cores / slot->cores
                                       : room_numas(s);
        if (slot->gpus > 0)
            n = least(n, s->n_gpus / slot->gpus);
        most = n > most ? n : most;
    }
    return per_node > 0 ? least(most, per_node) : most;
}

/* Whole cores that n ranks take at least. */
static uint64_t cores_for(const struct room_job *j, unsigned n)
{
    if (j->share)
        return 1;
    return j->slot.threads > 0 ? 0 : (uint64_t)j->slot.cores * n;
}

unsigned room_find(const struct room_job *j, unsigned from, unsigned n)
{
    uint64_t cores = cores_for(j, n), gpus = (uint64_t)j->slot.gpus * n;
    if (cores > UINT32_MAX || gpus > UINT32_MAX)
        return j->tree->n_hosts;
    return occupancy_find(j->occ, from, (unsigned)cores, (unsigned)gpus);
}

static bool is_taken(const unsigned *taken, unsigned n, unsigned host)
{
    unsigned low = 0;
    while (low < n) {
        unsigned middle = low + (n - low) / 2;
        if (taken[middle] == host)
            return true;
        if (taken[middle] < host)
            low = middle + 1;
        else
            n = middle;
    }
    return false;
}

unsigned room_tightest(const struct room_job *j,
                       unsigned n,
                       const unsigned *taken,
                       unsigned n_taken)
{
    uint64_t cores = cores_for(j, n), gpus = (uint64_t)j->slot.gpus * n;
    unsigned best = j->tree->n_hosts, h = room_find(j, 0, n);
    while (h < j->tree->n_hosts) {
        if (!is_taken(taken, n_taken, h) && room_on(j, h) >= n)
            best = h;
        h = best == j->tree->n_hosts
                ? room_find(j, h + 1, n)
                : occupancy_find_tighter(
                      j->occ, h + 1, (unsigned)cores, (unsigned)gpus, best);
    }
    return best;
}

unsigned room_numas(const struct topo_shape *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_nodes; i++)
        n += s->nodes[i].kind == GM_NUMA && s->nodes[i].n_cores > 0;
    return n > 0 ? n : 1;
}
