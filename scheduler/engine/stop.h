/* How often this process was asked to stop: engine_stop() counts, engine_run() looks. */
#ifndef ENGINE_STOP_H
#define ENGINE_STOP_H

unsigned stop_asked(void); /* since the last stop_reset */
void stop_reset(void);

#endif
