// example.heat: heat that spreads along a rod, in C++.
//
// The rod is cut into blocks of 64 cells, and the ranks of a group own runs of blocks. A
// time step needs the cell beyond each end of a rank's run: gm_comm's exchange sends it.
// Each cell is computed by the same operations wherever it is, and the heat in the rod is
// the group's sum over blocks, so the bits do not depend on the number of ranks.
#include "gridmill/kernel.h"
#include <algorithm>
#include <new>
#include <vector>

namespace
{

constexpr uint64_t BLOCK = 64;     // cells
constexpr uint64_t PER_STEP = 100; // time steps

enum { P_BLOCKS, P_STEPS, P_RATE, N_PARAMS };
enum { O_HEAT, O_HOTTEST, O_ROD, N_OUTPUTS };

struct Heat {
    const gm_comm *comm;
    const gm_sink *sink;
    uint64_t blocks, first, count; // of all; this rank's
    uint64_t steps, done;
    double rate;
    std::vector<double> now, next; // this rank's cells, with one more at each end
    std::vector<double> rod;       // all cells, in the end
};

int open_(const gm_params *, const gm_seat *, void **ret, gm_error *err)
{
    *ret = new (std::nothrow) Heat{};
    return *ret != nullptr ? 0 : gm_fail(err, -ENOMEM, "example.heat: out of memory");
}

// No exception may leave a kernel: those of vectors become an error here.
int begin(void *self, const gm_task *task, const gm_sink *sink, gm_error *err)
try {
    auto &h = *static_cast<Heat *>(self);
    h.comm = task->comm;
    h.sink = sink;
    h.done = 0;
    h.blocks = static_cast<uint64_t>(gm_param_int(task->params, P_BLOCKS));
    h.steps = static_cast<uint64_t>(gm_param_int(task->params, P_STEPS));
    h.rate = gm_param_float(task->params, P_RATE);
    if (h.comm->size <= offsetof(gm_comm, exchange))
        return gm_fail(err, -EINVAL, "this Gridmill is too old for example.heat");
    if (h.comm->n_ranks > h.blocks)
        return gm_fail(err, -EINVAL, "blocks: at least one a rank of the group");
    gm_share(h.blocks, h.comm->n_ranks, h.comm->rank, &h.first, &h.count);
    h.now.assign(h.count * BLOCK + 2, 0.0);
    h.next.assign(h.count * BLOCK + 2, 0.0);
    h.rod.assign(h.blocks * BLOCK, 0.0);
    if (h.comm->rank == 0) // all the heat is in the first block
        std::fill_n(h.now.begin() + 1, BLOCK, 1.0);
    return 0;
} catch (const std::bad_alloc &) {
    return gm_fail(err, -ENOMEM, "no memory for the rod");
}

// The cells beyond this rank's: a neighbour's, or, at the rod's ends, the last cell
// itself, so that no heat leaves.
int fetch_ends(Heat &h, gm_error *err)
{
    const gm_comm *c = h.comm;
    const size_t n = h.count * BLOCK;
    const uint32_t left = c->rank > 0 ? c->rank - 1 : GM_NOBODY;
    const uint32_t right = c->rank + 1 < c->n_ranks ? c->rank + 1 : GM_NOBODY;
    h.now[0] = h.now[1];
    h.now[n + 1] = h.now[n];
    int rc = c->exchange(
        c, right, &h.now[n], sizeof(double), left, &h.now[0], sizeof(double), err);
    if (rc == 0)
        rc = c->exchange(c,
                         left,
                         &h.now[1],
                         sizeof(double),
                         right,
                         &h.now[n + 1],
                         sizeof(double),
                         err);
    return rc;
}

int block_heat(void *self, uint64_t block, void *out, gm_error *)
{
    const auto &h = *static_cast<Heat *>(self);
    const double *cell = &h.now[1 + (block - h.first) * BLOCK];
    double sum = 0;
    for (uint64_t i = 0; i < BLOCK; i++)
        sum += cell[i];
    *static_cast<double *>(out) = sum;
    return 0;
}

int report(Heat &h, gm_error *err)
{
    const gm_comm *c = h.comm;
    double heat = 0;
    int rc = c->sum(c, GM_F64, h.blocks, h.first, h.count, 1, block_heat, &h, &heat, err);
    for (uint32_t r = 0; r < c->n_ranks && rc == 0; r++) {
        uint64_t first, count;
        gm_share(h.blocks, c->n_ranks, r, &first, &count);
        double *to = &h.rod[first * BLOCK];
        if (r == c->rank)
            std::copy_n(h.now.begin() + 1, count * BLOCK, to);
        rc = c->bcast(c, r, to, count * BLOCK * sizeof(double), err);
    }
    const uint64_t dims[] = {h.rod.size()};
    if (rc == 0)
        rc = gm_put_f64(h.sink, O_HEAT, heat, err);
    if (rc == 0)
        rc = gm_put_f64(
            h.sink, O_HOTTEST, *std::max_element(h.rod.begin(), h.rod.end()), err);
    return rc == 0 ? h.sink->put(h.sink, O_ROD, 1, dims, h.rod.data(), err) : rc;
}

int step(void *self, gm_error *err)
{
    auto &h = *static_cast<Heat *>(self);
    if (h.comm->cancelled(h.comm))
        return gm_fail(err, -ECANCELED, "stopped");
    for (uint64_t k = 0; k < PER_STEP && h.done < h.steps; k++, h.done++) {
        const int rc = fetch_ends(h, err);
        if (rc != 0)
            return rc;
        for (size_t i = 1; i <= h.count * BLOCK; i++)
            h.next[i] = h.now[i] +
                        h.rate * ((h.now[i - 1] - h.now[i]) + (h.now[i + 1] - h.now[i]));
        h.now.swap(h.next);
    }
    return h.done < h.steps ? 1 : report(h, err);
}

void end(void *, int)
{
}

void close_(void *self)
{
    delete static_cast<Heat *>(self);
}

// C++17 names no fields in an initializer: the tables are filled before the first use.
gm_param_spec
number(const char *name, const char *help, const char *preset, uint32_t type)
{
    gm_param_spec s{};
    s.name = name;
    s.help = help;
    s.preset = preset;
    s.type = type;
    s.min = 1;
    s.max = 1e9;
    return s;
}

gm_output_spec output(const char *name, const char *help, uint32_t summary)
{
    gm_output_spec o{};
    o.name = name;
    o.help = help;
    o.unit = "1";
    o.shape = "";
    o.dtype = GM_F64;
    o.summary = summary;
    return o;
}

struct Tables {
    gm_param_spec params[N_PARAMS];
    gm_output_spec outputs[N_OUTPUTS];

    Tables()
    {
        params[P_BLOCKS] = number("blocks", "of 64 cells", "16", GM_PARAM_INT);
        params[P_STEPS] = number("steps", "in time", "1000", GM_PARAM_INT);
        params[P_RATE] = number(
            "rate", "of a difference that one step evens out", "0.25", GM_PARAM_FLOAT);
        params[P_RATE].min = 1e-6;
        params[P_RATE].max = 0.5;
        outputs[O_HEAT] = output("heat", "in the whole rod: none is lost", GM_SUM_BEST);
        outputs[O_HOTTEST] = output("hottest", "cell in the end", GM_SUM_BEST);
        outputs[O_ROD] = output("rod", "every cell in the end", GM_SUM_NONE);
        outputs[O_ROD].shape = "[cells]";
        outputs[O_ROD].ndim = 1;
    }
};

const Tables tables;

gm_kernel make()
{
    gm_kernel k{};
    k.abi = GM_KERNEL_ABI;
    k.size = sizeof(k);
    k.name = "example.heat";
    k.summary = "heat that spreads along a rod";
    k.params = tables.params;
    k.n_params = N_PARAMS;
    k.outputs = tables.outputs;
    k.n_outputs = N_OUTPUTS;
    k.traits = GM_BOUND_COMM | GM_ON_CPU | GM_TAKES_GROUP;
    k.open = open_;
    k.begin = begin;
    k.step = step;
    k.end = end;
    k.close = close_;
    return k;
}

} // namespace

extern "C" {
GM_EXPORT extern const gm_kernel example_heat_kernel;
const gm_kernel example_heat_kernel = make();
}
