/* `gridmill-runner --probe`: what a host says of itself before a job is placed on it, by
 * one process that is no MPI program. A line on standard output, fields between tabs:
 *
 *   gridmill-probe 1 HOST BUILD DIGEST CPUS SEES end
 *   gridmill-probe 1 HOST BUILD error SENTENCE end
 *
 * CPUS: "all" of the topology, or those that this process may use; SEES: "yes" or "no"
 * where it was asked whether a file is there, else "-". With --xml the topology follows,
 * behind a line "gridmill-xml 1 LENGTH". */
#ifndef RUNNER_PROBE_H
#define RUNNER_PROBE_H

/* words: what followed --probe: [--see FILE] [--xml]. Returns an exit code. */
int probe_run(int n_words, char *const *words);

#endif
