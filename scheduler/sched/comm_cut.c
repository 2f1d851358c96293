/* See comm_cut.h. A pass moves every vertex once, the one with the highest gain first,
 * from whichever side is too large, and is taken back to the best balanced moment. A
 * vertex's bucket is its gain in steps, so many of the highest that there can be; of
 * one bucket the last that came in goes first.
 *
 * Invariant: between passes exactly `left` vertices are on side 0. */
#include "comm_cut.h"
#include "base/memory.h"
#include <string.h>

enum { MOST_STEPS = 512 };

#define NONE UINT32_MAX

struct cut {
    const struct comm_graph *g;
    unsigned size[2], left; /* vertices on each side; wanted on side 0 */
    uint8_t *side;
    bool *locked;
    double *gain;   /* weight that a vertex's move takes out of the cut */
    unsigned steps; /* the highest gain, in buckets */
    double scale;   /* gain -> bucket */
    double least;   /* a gain below it is rounding */
    uint32_t *head[2], *next, *prev;
    int top[2]; /* no bucket above it holds anything */
    uint32_t *moves;
};

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13; /* xorshift64 */
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static int bucket_of(const struct cut *c, uint32_t v)
{
    return (int)(c->gain[v] * c->scale + c->steps + 0.5);
}

static void put(struct cut *c, uint32_t v)
{
    int b = bucket_of(c, v), s = c->side[v];
    uint32_t *head = &c->head[s][b];
    c->next[v] = *head;
    c->prev[v] = NONE;
    if (*head != NONE)
        c->prev[*head] = v;
    *head = v;
    c->top[s] = b > c->top[s] ? b : c->top[s];
}

static void take(struct cut *c, uint32_t v)
{
    if (c->prev[v] != NONE)
        c->next[c->prev[v]] = c->next[v];
    else
        c->head[c->side[v]][bucket_of(c, v)] = c->next[v];
    if (c->next[v] != NONE)
        c->prev[c->next[v]] = c->prev[v];
}

static uint32_t best_of(struct cut *c, int s)
{
    while (c->top[s] >= 0 && c->head[s][c->top[s]] == NONE)
        c->top[s]--;
    return c->top[s] >= 0 ? c->head[s][c->top[s]] : NONE;
}

/* All vertices unlocked and in their buckets. */
static void fill(struct cut *c)
{
    const struct comm_graph *g = c->g;
    for (int s = 0; s < 2; s++) {
        memset(c->head[s], 0xff, (2 * c->steps + 1) * sizeof(uint32_t));
        c->top[s] = -1;
    }
    memset(c->locked, 0, g->n * sizeof(*c->locked));
    for (uint32_t v = g->n; v-- > 0;) {
        c->gain[v] = 0;
        for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++)
            c->gain[v] += c->side[g->edges[e].to] == c->side[v]
                              ? -(double)g->edges[e].weight
                              : (double)g->edges[e].weight;
        put(c, v);
    }
}

/* Moves v to the other side for the rest of the pass. */
static void move(struct cut *c, uint32_t v)
{
    const struct comm_graph *g = c->g;
    take(c, v);
    c->locked[v] = true;
    c->size[c->side[v]]--;
    c->side[v] ^= 1;
    c->size[c->side[v]]++;
    for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++) {
        uint32_t u = g->edges[e].to;
        double twice = 2 * (double)g->edges[e].weight;
        if (c->locked[u])
            continue;
        take(c, u);
        c->gain[u] += c->side[u] == c->side[v] ? -twice : twice;
        put(c, u);
    }
}

/* The weight that a pass took out of the cut. */
static double run_pass(struct cut *c)
{
    unsigned n = c->g->n, done = 0, kept = 0, patience = n < 512 ? n : 256 + n / 16;
    double sum = 0, best = 0;
    fill(c);
    while (done < n && done - kept <= patience) {
        uint32_t top[2] = {best_of(c, 0), best_of(c, 1)};
        int s = c->size[0] < c->left;
        if (c->size[0] == c->left)
            s = top[0] == NONE || (top[1] != NONE && c->gain[top[1]] > c->gain[top[0]]);
        uint32_t v = top[s];
        if (v == NONE)
            break;
        sum += c->gain[v];
        move(c, v);
        c->moves[done++] = v;
        if (c->size[0] == c->left && sum > best + c->least) {
            best = sum;
            kept = done;
        }
    }
    while (done > kept) {
        uint32_t v = c->moves[--done];
        c->size[c->side[v]]--;
        c->side[v] ^= 1;
        c->size[c->side[v]]++;
    }
    return best;
}

static double weight_between(const struct cut *c)
{
    const struct comm_graph *g = c->g;
    double sum = 0;
    for (uint32_t v = 0; v < g->n; v++) {
        for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++)
            sum += c->side[g->edges[e].to] != c->side[v] ? (double)g->edges[e].weight : 0;
    }
    return sum / 2;
}

/* The vertex that a walk outwards from v comes to last. */
static uint32_t far_from(struct cut *c, uint32_t v)
{
    const struct comm_graph *g = c->g;
    uint32_t *queue = c->moves;
    unsigned n = 0, done = 0;
    memset(c->locked, 0, g->n * sizeof(*c->locked));
    queue[n++] = v;
    c->locked[v] = true;
    while (done < n) {
        v = queue[done++];
        for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++) {
            uint32_t u = g->edges[e].to;
            if (!c->locked[u])
                queue[n++] = u;
            c->locked[u] = true;
        }
    }
    return v;
}

/* Side 0 grown around `v`, always by the vertex that adds least to the cut. */
static void grow(struct cut *c, uint32_t v)
{
    unsigned n = c->g->n;
    memset(c->side, 1, n);
    c->size[0] = 0;
    c->size[1] = n;
    fill(c);
    for (; c->size[0] < c->left; v = best_of(c, 1))
        move(c, v);
}

static void start(struct cut *c, unsigned number, uint64_t *seed)
{
    unsigned n = c->g->n;
    if (number == 0)
        grow(c, far_from(c, far_from(c, 0)));
    else if (number != 2)
        grow(c, (uint32_t)(draw(seed) % n));
    else { /* as they came */
        memset(c->side, 1, n);
        memset(c->side, 0, c->left);
        c->size[0] = c->left;
        c->size[1] = n - c->left;
    }
}

static struct cut make(const struct comm_graph *g, unsigned left, uint8_t *side)
{
    struct cut c = {.g = g, .left = left};
    c.side = side;
    double most = 0;
    for (uint32_t v = 0; v < g->n; v++) {
        double sum = 0;
        for (uint32_t e = g->first[v]; e < g->first[v + 1]; e++)
            sum += (double)g->edges[e].weight;
        most = sum > most ? sum : most;
    }
    c.steps = 4 * g->n < MOST_STEPS ? 4 * g->n : MOST_STEPS;
    c.scale = most > 0 ? (c.steps - 1) / most : 0;
    c.least = 1e-9 * most;
    c.locked = xcalloc(g->n, sizeof(*c.locked));
    c.gain = xcalloc(g->n, sizeof(*c.gain));
    c.next = xcalloc(g->n, sizeof(*c.next));
    c.prev = xcalloc(g->n, sizeof(*c.prev));
    c.moves = xcalloc(g->n, sizeof(*c.moves));
    c.head[0] = xcalloc(2 * c.steps + 1, sizeof(*c.head[0]));
    c.head[1] = xcalloc(2 * c.steps + 1, sizeof(*c.head[1]));
    return c;
}

void comm_cut(const struct comm_graph *g,
              unsigned left,
              unsigned starts,
              uint64_t *seed,
              uint8_t *side)
{
    AUTO_FREE(uint8_t) own = xcalloc(g->n, sizeof(*own));
    struct cut c = make(g, left, own);
    double least = 0;
    for (unsigned k = 0; k < starts; k++) {
        start(&c, k, seed);
        while (run_pass(&c) > 0)
            ;
        double weight = weight_between(&c);
        if (k == 0 || weight < least) {
            least = weight;
            memcpy(side, own, g->n);
        }
        if (least == 0)
            break;
    }
    free(c.locked);
    free(c.gain);
    free(c.next);
    free(c.prev);
    free(c.moves);
    free(c.head[0]);
    free(c.head[1]);
}
