/* See keeper.h. Invariant: the call that may take long is made without the mutex. */
#include "keeper.h"
#include "base/memory.h"
#include "base/str.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <time.h>

enum { ASK_EVERY_MS = 100 };

struct keeper {
    int lock;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t ends;
    bool over;
    atomic_bool gone;
};

/* True: it is to end. */
static bool rest(struct keeper *k)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ASK_EVERY_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&k->mutex);
    while (!k->over && pthread_cond_timedwait(&k->ends, &k->mutex, &until) == 0)
        ;
    bool over = k->over;
    (void)pthread_mutex_unlock(&k->mutex);
    return over;
}

static void *ask(void *arg)
{
    struct keeper *k = arg;
    while (flock(k->lock, LOCK_EX | LOCK_NB) != 0) {
        if (rest(k))
            return NULL;
    }
    atomic_store(&k->gone, true);
    return NULL;
}

static void destroy(struct keeper *k)
{
    (void)pthread_cond_destroy(&k->ends);
    (void)pthread_mutex_destroy(&k->mutex);
    (void)close(k->lock);
    free(k);
}

struct keeper *keeper_watch(const char *folder)
{
    AUTO_STR path = {0};
    pthread_condattr_t attr;
    str_printf(&path, "%s/lock", folder);
    int lock = open(path.text, O_RDWR | O_CLOEXEC);
    if (lock < 0)
        return NULL;
    struct keeper *k = xcalloc(1, sizeof(*k));
    k->lock = lock;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&k->mutex, NULL);
    (void)pthread_cond_init(&k->ends, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (pthread_create(&k->thread, NULL, ask, k) != 0) {
        destroy(k);
        return NULL;
    }
    return k;
}

bool keeper_gone(const struct keeper *k)
{
    return k != NULL && atomic_load_explicit(&k->gone, memory_order_relaxed);
}

void keeper_free(struct keeper *k)
{
    if (k == NULL)
        return;
    (void)pthread_mutex_lock(&k->mutex);
    k->over = true;
    (void)pthread_cond_signal(&k->ends);
    (void)pthread_mutex_unlock(&k->mutex);
    (void)pthread_join(k->thread, NULL);
    destroy(k);
}
