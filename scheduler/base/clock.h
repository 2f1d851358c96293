/* The two clocks: one for durations, one for dates. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

double clock_monotonic(void); /* s since some start; never steps back */
double clock_unix(void);      /* s since 1970-01-01 UTC */
void clock_sleep(double seconds);

#endif
