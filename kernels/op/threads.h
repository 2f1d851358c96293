/* Threads inside a rank. An operator cuts its work into tiles that its shapes fix, and
 * hands tiles to threads: who takes which changes no bit. Built without OpenMP there is
 * one thread. */
#ifndef OP_THREADS_H
#define OP_THREADS_H

/* How many threads operators that are called from this thread use from now on; a kernel's
 * open says it. 0 counts as 1. One of several threads that share a loop counts one. */
void threads_set(unsigned n);
unsigned threads_count(void);

#endif
