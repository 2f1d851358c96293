/* `gridmill-runner --self-test`: what `gridmill doctor` asks of a real start. */
#ifndef RUNNER_SELFTEST_H
#define RUNNER_SELFTEST_H

/* Prints one line of JSON from rank 0; returns an exit code. */
int selftest_run(int *argc, char ***argv);

#endif
