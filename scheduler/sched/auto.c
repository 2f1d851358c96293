/* See auto.h. The table of docs/design/placement.md, "auto", as code. */
#include "auto.h"
#include "gridmill/kernel.h"
#include <string.h>

static bool is(const struct place_request *req, const char *word)
{
    return strcmp(req->mapping, word) == 0;
}

struct slot_request auto_slot(const struct place_request *req)
{
    struct slot_request slot = {
        .cores = req->cores,
        .gpus = req->gpus,
        .threads = req->threads,
        .memory = req->memory,
        .traits = req->traits,
        .numa = is(req, "numa"),
    };
    bool whole = slot.numa && req->ranks == 0 && req->ranks_per_node == 0;
    if (slot.cores == 0 && slot.threads == 0 && !whole)
        slot.cores = 1;
    if (slot.gpus == 0 && is(req, "gpu-near"))
        slot.gpus = 1;
    slot.gpu_first = slot.gpus > 0 && (is(req, "gpu-near") || is(req, "auto"));
    return slot;
}

/* Ranks that share memory's bandwidth are slowed by their neighbours, groups or not;
 * then those that talk want to be close; all others have more to themselves apart. */
static bool apart(const struct place_request *req, bool fills)
{
    if ((req->traits & GM_BOUND_MEMORY) != 0)
        return true;
    return (req->traits & GM_BOUND_COMM) == 0 && !req->grouped && !fills;
}

const char *
auto_choose(const struct place_request *req, bool fills, struct slot_request *slot)
{
    if (is(req, "pack"))
        slot->spread = false;
    else if (is(req, "auto"))
        slot->spread = apart(req, fills);
    else
        slot->spread = true;
    if (is(req, "auto"))
        return slot->spread ? "spread" : "pack";
    return req->mapping;
}

const char *auto_why(const struct place_request *req, bool spread)
{
    if ((req->traits & GM_BOUND_MEMORY) != 0)
        return "the job is bound by memory: ranks that share a controller wait for it";
    if (spread)
        return "its ranks do not speak to each other: each has the most to itself";
    if (req->grouped)
        return "its ranks work together: near in the tree is near in time";
    if ((req->traits & GM_BOUND_COMM) != 0)
        return "the job is bound by communication: near in the tree is near in time";
    return "every core is taken: neighbours in rank are neighbours";
}
