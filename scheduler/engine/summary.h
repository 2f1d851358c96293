/* What a job came to, in the words of its kernels' output tables: read from the results,
 * never from what the launcher said. Written beside FILE as NAME.summary.json, and drawn
 * by the CLI. */
#ifndef ENGINE_SUMMARY_H
#define ENGINE_SUMMARY_H

#include "base/str.h"
#include "engine/engine.h"

struct summary;

/* From FILE, or from FILE.gm while it is not packed. */
int summary_load(const char *results, struct summary **ret, struct gm_error *err);
void summary_free(struct summary *s); /* takes NULL */
/* The id of the launch that wrote them (plan->id); "" when there is none. */
const char *summary_id(const struct summary *s);
/* Tasks with a final status, and all tasks of the job. */
uint64_t summary_committed(const struct summary *s);
uint64_t summary_tasks(const struct summary *s);
/* The job folder, where nothing is packed; else NULL. */
const char *summary_folder(const struct summary *s);
/* Unix s, of the last task that ran; 0: none did. */
double summary_end(const struct summary *s);
/* In a few words: "2 of 22 tasks failed: train[3]: loss is not finite". */
const char *summary_verdict(const struct summary *s);
/* Adds how long each part of the run took (copied). */
void summary_add_phases(struct summary *s, const struct engine_phase *phases, unsigned n);
/* The exit code that the commit records give. */
enum engine_exit summary_exit(const struct summary *s);
char *summary_json(const struct summary *s); /* yours to free */
/* For people: outcome, time a stage, each stage's outputs, what each rank did, a
 * confusion matrix, where the file is. colour and utf8 as the terminal can. */
void summary_draw(const struct summary *s, bool colour, bool utf8, struct str *out);
/* Where the time of the run went, one line a part. */
void summary_draw_phases(const struct summary *s, struct str *out);
/* "digits.summary.json" for "digits.h5"; yours to free. */
char *summary_path(const char *results);

AUTO_TYPE(summary, summary_free)

#endif
