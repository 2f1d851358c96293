/* Included before the board's sources in tests/threads/board.c: threads are held up where
 * it matters, between the load of a word and its swap, and before each store. */
#ifndef THREADS_STALL_H
#define THREADS_STALL_H

#include <stdatomic.h>

void stall(void);

#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_weak
#undef atomic_fetch_add
#define atomic_compare_exchange_strong(object, old, new)                                 \
    (stall(),                                                                            \
     atomic_compare_exchange_strong_explicit(                                            \
         object, old, new, memory_order_seq_cst, memory_order_seq_cst))
#define atomic_compare_exchange_weak(object, old, new)                                   \
    (stall(),                                                                            \
     atomic_compare_exchange_weak_explicit(                                              \
         object, old, new, memory_order_seq_cst, memory_order_seq_cst))
#define atomic_fetch_add(object, n)                                                      \
    (stall(), atomic_fetch_add_explicit(object, n, memory_order_seq_cst))

#endif
